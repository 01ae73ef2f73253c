//! A ROS 2 node for tests: ros2-client on RustDDS, with no ROS 2 installed, told by JSON lines what to do. See
//! rclpy_peer.py for the lines. Knows the types of messages.rs.

mod messages;

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use futures::StreamExt;
use messages::*;
use ros2_client::dds::rustdds::{DomainParticipantBuilder, Topic};
use ros2_client::qos::{Durability, History, WhenFull};
use ros2_client::{
    Context, Message, MessageTypeName, Name, Node, NodeEvent, NodeName, NodeOptions, Publisher, QosProfile,
    ReadError, ServiceMapping, ServiceTypeName,
};
use serde_json::{Value, json};

type Failure = Box<dyn std::error::Error>;

fn tell(line: Value) {
    let mut output = std::io::stdout().lock();
    // When nobody listens any more the test is over.
    let _ = writeln!(output, "{line}").and_then(|()| output.flush());
}

/// A publisher of some type.
trait Outlet: Send + Sync {
    fn send(&self, sample: &Value) -> Result<(), Failure>;
}

impl<M: Message + Send + Sync> Outlet for Publisher<M> {
    fn send(&self, sample: &Value) -> Result<(), Failure> {
        let message: M = serde_json::from_value(sample.clone())?;
        self.publish(message).map_err(|_| "the sample could not be written".into())
    }
}

struct Peer {
    node: Node,
    /// By the participant that told of them.
    nodes: Arc<Mutex<HashMap<String, Vec<String>>>>,
    outlets: HashMap<String, Arc<dyn Outlet>>,
    beats: HashMap<String, Arc<AtomicBool>>,
}

fn text<'a>(command: &'a Value, field: &str) -> Result<&'a str, Failure> {
    command[field].as_str().ok_or_else(|| format!("{field} is missing").into())
}

fn sample_of(command: &Value, field: &str) -> Value {
    if command[field].is_null() { json!({}) } else { command[field].clone() }
}

fn qos_of(options: &Value) -> QosProfile {
    let mut qos = QosProfile::publisher_default();
    qos.history = History::KeepLast { depth: options["depth"].as_u64().unwrap_or(1) as usize };
    qos = match options["reliability"].as_str() {
        Some("best_effort") => qos.reliability_best_effort(),
        _ => qos.reliability_reliable(WhenFull::DEFAULT),
    };
    if options["durability"] == "transient_local" {
        qos.durability = Durability::TransientLocal;
    }
    qos.deadline = options["deadlineMs"].as_u64().map(Duration::from_millis);
    qos.liveliness_lease = options["livelinessLeaseMs"].as_u64().map(Duration::from_millis);
    qos
}

fn name_of(full_name: &str) -> Result<Name, Failure> {
    Name::parse(full_name).map_err(|error| format!("{error:?}").into())
}

impl Peer {
    fn new(name: &str, namespace: &str, domain_id: u16) -> Result<Peer, Failure> {
        let participant = DomainParticipantBuilder::new(domain_id)
            .with_only_networks([std::net::Ipv4Addr::LOCALHOST])
            .build()?;
        let context = Context::from_domain_participant(participant)?;
        let mut node = context.new_node(NodeName::new(namespace, name)?, NodeOptions::new().enable_rosout(false))?;
        let spinner = node.spinner()?;
        thread::spawn(move || smol::block_on(spinner.spin()));
        let nodes = Arc::new(Mutex::new(HashMap::new()));
        let events = node.status_receiver().ok_or("no spinner")?;
        let heard = nodes.clone();
        thread::spawn(move || {
            smol::block_on(events.for_each(|event| {
                if let NodeEvent::ParticipantEntities(info) = event {
                    let names = info.nodes().iter().map(|node| node.fully_qualified_name()).collect();
                    heard.lock().unwrap().insert(format!("{:?}", info.gid()), names);
                }
                std::future::ready(())
            }))
        });
        Ok(Peer { node, nodes, outlets: HashMap::new(), beats: HashMap::new() })
    }

    fn run(&mut self, command: &Value) -> Result<Value, Failure> {
        match text(command, "op")? {
            "subscribe" => match text(command, "type")? {
                "std_msgs/msg/String" => self.subscribe::<Text>(command),
                "lifecycle_msgs/msg/TransitionEvent" => self.subscribe::<TransitionEvent>(command),
                "roslet_msgs/msg/PodStatus" => self.subscribe::<PodStatus>(command),
                other => Err(format!("{other} is no type of this peer").into()),
            },
            "publish" => match text(command, "type")? {
                "std_msgs/msg/String" => self.publish::<Text>(command),
                "lifecycle_msgs/msg/TransitionEvent" => self.publish::<TransitionEvent>(command),
                "roslet_msgs/msg/PodStatus" => self.publish::<PodStatus>(command),
                other => Err(format!("{other} is no type of this peer").into()),
            },
            "pause" => self.pause(text(command, "topic")?),
            "unpublish" => {
                let topic = text(command, "topic")?;
                self.pause(topic)?;
                self.outlets.remove(topic);
                Ok(Value::Null)
            }
            "call" => match text(command, "type")? {
                "lifecycle_msgs/srv/GetState" => self.call::<GetStateRequest, GetStateResponse>(command),
                "lifecycle_msgs/srv/ChangeState" => self.call::<ChangeStateRequest, ChangeStateResponse>(command),
                other => Err(format!("{other} is no type of this peer").into()),
            },
            "serve" => match text(command, "type")? {
                "lifecycle_msgs/srv/GetState" => self.serve::<GetStateRequest, GetStateResponse>(command),
                other => Err(format!("{other} is no type of this peer").into()),
            },
            "graph" => {
                let mut names: Vec<String> = self.nodes.lock().unwrap().values().flatten().cloned().collect();
                names.sort();
                Ok(json!({ "nodes": names }))
            }
            other => Err(format!("{other} is no command of this peer").into()),
        }
    }

    fn topic(&self, command: &Value) -> Result<Topic, Failure> {
        let (package, short_name) = text(command, "type")?.split_once("/msg/").ok_or("not a message type")?;
        let type_name = MessageTypeName::new(package, short_name);
        Ok(self.node.create_topic(&name_of(text(command, "topic")?)?, type_name, &qos_of(&command["qos"]))?)
    }

    fn subscribe<M: Message + Send + Sync + 'static>(&mut self, command: &Value) -> Result<Value, Failure> {
        let topic = text(command, "topic")?.to_owned();
        let subscription = self.node.create_subscription::<M>(&self.topic(command)?, None)?;
        thread::spawn(move || {
            smol::block_on(subscription.async_stream().for_each(|taken| {
                match taken {
                    Ok((message, info)) => {
                        let time = info.source_timestamp().map(|time| format!("{time:?}"));
                        tell(json!({ "topic": topic, "sample": message, "sourceTimeNs": time }));
                    }
                    Err(error) => tell(json!({ "topic": topic, "sample": { "error": format!("{error:?}") } })),
                }
                std::future::ready(())
            }))
        });
        Ok(Value::Null)
    }

    fn publish<M: Message + Send + Sync + 'static>(&mut self, command: &Value) -> Result<Value, Failure> {
        let topic = text(command, "topic")?.to_owned();
        if !self.outlets.contains_key(&topic) {
            let publisher = self.node.create_publisher::<M>(&self.topic(command)?, None)?;
            self.outlets.insert(topic.clone(), Arc::new(publisher));
        }
        let outlet = self.outlets[&topic].clone();
        let sample = sample_of(command, "sample");
        outlet.send(&sample)?;
        if let Some(period_ms) = command["period_ms"].as_u64() {
            let beating = Arc::new(AtomicBool::new(true));
            self.beats.insert(topic, beating.clone());
            thread::spawn(move || {
                while beating.load(Ordering::Relaxed) {
                    thread::sleep(Duration::from_millis(period_ms));
                    let _ = outlet.send(&sample);
                }
            });
        }
        Ok(Value::Null)
    }

    /// Falls silent, but keeps the publisher.
    fn pause(&mut self, topic: &str) -> Result<Value, Failure> {
        if let Some(beating) = self.beats.remove(topic) {
            beating.store(false, Ordering::Relaxed);
        }
        Ok(Value::Null)
    }

    fn call<Req, Resp>(&mut self, command: &Value) -> Result<Value, Failure>
    where
        Req: Message + Clone + 'static,
        Resp: Message + 'static,
    {
        let (name, type_name) = service_of(command)?;
        let qos = qos_of(&json!({ "depth": 10 }));
        let mapping = ServiceMapping::Enhanced;
        let client = self.node.create_client::<Req, Resp>(mapping, &name, &type_name, qos.clone(), qos)?;
        let request: Req = serde_json::from_value(sample_of(command, "request"))?;
        smol::block_on(async { client.wait_for_service(&self.node).await });
        let answer = async {
            let id = match client.async_send_request(request).await {
                Ok(id) => id,
                Err(error) => return Some(Err(format!("{error:?}"))),
            };
            loop {
                match client.async_receive_response(id).await {
                    // An answer to another client, in the style of that one: all are read before it is known whose they are.
                    Err(ReadError::Deserialization { .. }) => continue,
                    read => return Some(read.map_err(|error| format!("{error:?}"))),
                }
            }
        };
        let limit = async {
            smol::Timer::after(Duration::from_secs(30)).await;
            None
        };
        match smol::block_on(smol::future::or(answer, limit)) {
            Some(response) => Ok(serde_json::to_value(response?)?),
            None => Err("no answer".into()),
        }
    }

    /// Answers every request with the same.
    fn serve<Req, Resp>(&mut self, command: &Value) -> Result<Value, Failure>
    where
        Req: Message + Clone + Send + 'static,
        Resp: Message + Send + Sync + 'static,
    {
        let (name, type_name) = service_of(command)?;
        let service = text(command, "service")?.to_owned();
        let qos = qos_of(&json!({ "depth": 10 }));
        let mapping = ServiceMapping::Enhanced;
        let server = self.node.create_server::<Req, Resp>(mapping, &name, &type_name, qos.clone(), qos)?;
        let response = sample_of(command, "response");
        serde_json::from_value::<Resp>(response.clone())?;
        thread::spawn(move || {
            smol::block_on(async {
                while let Ok((id, request)) = server.async_receive_request().await {
                    tell(json!({ "service": service, "request": request }));
                    let answer = serde_json::from_value(response.clone()).expect("it was read before");
                    if let Err(error) = server.async_send_response(id, answer).await {
                        eprintln!("{error:?}");
                    }
                }
            })
        });
        Ok(Value::Null)
    }
}

fn service_of(command: &Value) -> Result<(Name, ServiceTypeName), Failure> {
    let (package, short_name) = text(command, "type")?.split_once("/srv/").ok_or("not a service type")?;
    Ok((name_of(text(command, "service")?)?, ServiceTypeName::new(package, short_name)))
}

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().collect();
    let domain_id = std::env::var("ROS_DOMAIN_ID")?.parse()?;
    let mut peer = Peer::new(&arguments[1], &arguments[2], domain_id)?;
    tell(json!({ "ready": "rustdds" }));
    for line in std::io::stdin().lock().lines() {
        let command: Value = serde_json::from_str(&line?)?;
        tell(match peer.run(&command) {
            Ok(result) => json!({ "id": command["id"], "result": result }),
            Err(error) => json!({ "id": command["id"], "error": error.to_string() }),
        });
    }
    std::process::exit(0)
}
