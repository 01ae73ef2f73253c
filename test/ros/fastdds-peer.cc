// A peer that uses Fast DDS as rmw_fastrtps does, with opaque CDR: what it says to us is what Fast DDS says, not what
// somebody thinks that it says. Domain and role by argument, one line on standard output for all that happens.
//
//   fastdds-peer DOMAIN publish TOPIC TYPE TEXT PERIOD_MS
//   fastdds-peer DOMAIN subscribe TOPIC TYPE
//   fastdds-peer DOMAIN serve SERVICE TYPE
//   fastdds-peer DOMAIN call SERVICE TYPE COUNT
//
// Topics and types are DDS names, that of a service without `_Request_` and `_Response_`. It runs until it is killed.
#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include <fastdds/dds/domain/DomainParticipant.hpp>
#include <fastdds/dds/domain/DomainParticipantFactory.hpp>
#include <fastdds/dds/publisher/DataWriter.hpp>
#include <fastdds/dds/publisher/Publisher.hpp>
#include <fastdds/dds/subscriber/DataReader.hpp>
#include <fastdds/dds/subscriber/DataReaderListener.hpp>
#include <fastdds/dds/subscriber/SampleInfo.hpp>
#include <fastdds/dds/subscriber/Subscriber.hpp>
#include <fastdds/dds/topic/Topic.hpp>
#include <fastdds/dds/topic/TopicDataType.hpp>
#include <fastdds/rtps/transport/UDPv4TransportDescriptor.h>
#include <fastrtps/utils/IPLocator.h>

using namespace eprosima::fastdds::dds;
using eprosima::fastdds::rtps::UDPv4TransportDescriptor;
using eprosima::fastrtps::rtps::GUID_t;
using eprosima::fastrtps::rtps::InstanceHandle_t;
using eprosima::fastrtps::rtps::IPLocator;
using eprosima::fastrtps::rtps::Locator_t;
using eprosima::fastrtps::rtps::SerializedPayload_t;
using eprosima::fastrtps::rtps::WriteParams;
using Bytes = std::vector<uint8_t>;

// Any type: the payload as it is.
class OpaqueType : public TopicDataType {
 public:
  explicit OpaqueType(const std::string& name) {
    setName(name.c_str());
    m_typeSize = 1 << 16;
    m_isGetKeyDefined = false;
  }
  bool serialize(void* data, SerializedPayload_t* payload) override {
    const auto& bytes = *static_cast<Bytes*>(data);
    memcpy(payload->data, bytes.data(), bytes.size());
    payload->length = static_cast<uint32_t>(bytes.size());
    return true;
  }
  bool deserialize(SerializedPayload_t* payload, void* data) override {
    static_cast<Bytes*>(data)->assign(payload->data, payload->data + payload->length);
    return true;
  }
  std::function<uint32_t()> getSerializedSizeProvider(void* data) override {
    return [data] { return static_cast<uint32_t>(static_cast<Bytes*>(data)->size()); };
  }
  void* createData() override { return new Bytes; }
  void deleteData(void* data) override { delete static_cast<Bytes*>(data); }
  bool getKey(void*, InstanceHandle_t*, bool) override { return false; }
};

Bytes stringMessage(const std::string& text) {
  const auto length = static_cast<uint32_t>(text.size() + 1);
  Bytes bytes = {0, 1, 0, 0, uint8_t(length), uint8_t(length >> 8), uint8_t(length >> 16), uint8_t(length >> 24)};
  bytes.insert(bytes.end(), text.c_str(), text.c_str() + length);
  return bytes;
}

std::string textOf(const Bytes& bytes) {
  if (bytes.size() < 9 || bytes[1] != 1) return "(not a string)";
  const uint32_t length = bytes[4] | bytes[5] << 8 | bytes[6] << 16 | uint32_t(bytes[7]) << 24;
  if (length < 1 || length > bytes.size() - 8) return "(too long)";
  return std::string(bytes.begin() + 8, bytes.begin() + 7 + length);
}

void say(const char* what, const std::string& text) {
  printf("%s %s\n", what, text.c_str());
  fflush(stdout);
}

template <typename OnSample>
class Listener : public DataReaderListener {
 public:
  explicit Listener(OnSample onSample) : onSample_(std::move(onSample)) {}
  void on_data_available(DataReader* reader) override {
    Bytes bytes;
    SampleInfo info;
    while (reader->take_next_sample(&bytes, &info) == ReturnCode_t::RETCODE_OK) {
      if (info.valid_data) onSample_(bytes, info);
    }
  }
  void on_subscription_matched(DataReader*, const SubscriptionMatchedStatus& status) override {
    matched = status.current_count;
  }
  std::atomic<int> matched{0};

 private:
  OnSample onSample_;
};

class Peer {
 public:
  explicit Peer(int domain) {
    DomainParticipantQos qos;
    // What ROS 2 calls the localhost range, by UDP: nothing leaves the machine.
    qos.transport().use_builtin_transports = false;
    qos.transport().user_transports.push_back(std::make_shared<UDPv4TransportDescriptor>());
    Locator_t localhost;
    localhost.kind = LOCATOR_KIND_UDPv4;
    IPLocator::setIPv4(localhost, "127.0.0.1");
    qos.wire_protocol().builtin.initialPeersList.push_back(localhost);
    qos.wire_protocol().builtin.discovery_config.leaseDuration_announcementperiod = {0, 200'000'000};
    const std::string enclave = "enclave=/;";
    qos.user_data().assign(reinterpret_cast<const uint8_t*>(enclave.data()),
                           reinterpret_cast<const uint8_t*>(enclave.data()) + enclave.size());
    participant_ = DomainParticipantFactory::get_instance()->create_participant(domain, qos);
    publisher_ = participant_->create_publisher(PUBLISHER_QOS_DEFAULT);
    subscriber_ = participant_->create_subscriber(SUBSCRIBER_QOS_DEFAULT);
  }

  DataWriter* writer(const std::string& name, const std::string& type, bool isLatched) {
    DataWriterQos qos;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    qos.durability().kind = isLatched ? TRANSIENT_LOCAL_DURABILITY_QOS : VOLATILE_DURABILITY_QOS;
    qos.history().depth = 10;
    qos.endpoint().history_memory_policy = eprosima::fastrtps::rtps::PREALLOCATED_WITH_REALLOC_MEMORY_MODE;
    return publisher_->create_datawriter(topic(name, type), qos);
  }

  DataReader* reader(const std::string& name, const std::string& type, bool isLatched, DataReaderListener* listener) {
    DataReaderQos qos;
    qos.reliability().kind = RELIABLE_RELIABILITY_QOS;
    qos.durability().kind = isLatched ? TRANSIENT_LOCAL_DURABILITY_QOS : VOLATILE_DURABILITY_QOS;
    qos.history().depth = 10;
    qos.endpoint().history_memory_policy = eprosima::fastrtps::rtps::PREALLOCATED_WITH_REALLOC_MEMORY_MODE;
    return subscriber_->create_datareader(topic(name, type), qos, listener);
  }

 private:
  Topic* topic(const std::string& name, const std::string& type) {
    TypeSupport(new OpaqueType(type)).register_type(participant_);
    return participant_->create_topic(name, type, TOPIC_QOS_DEFAULT);
  }

  DomainParticipant* participant_;
  Publisher* publisher_;
  Subscriber* subscriber_;
};

void pause(int ms) { std::this_thread::sleep_for(std::chrono::milliseconds(ms)); }

[[noreturn]] void forever() {
  for (;;) pause(1000);
}

int main(int argc, char** argv) {
  if (argc < 5) return 2;
  const std::string role = argv[2], name = argv[3], type = argv[4];
  Peer peer(atoi(argv[1]));
  if (role == "publish") {
    DataWriter* writer = peer.writer(name, type, true);
    Bytes message = stringMessage(argv[5]);
    for (;;) {
      writer->write(&message);
      pause(atoi(argv[6]));
    }
  }
  if (role == "subscribe") {
    Listener listener([](const Bytes& bytes, const SampleInfo&) { say("received", textOf(bytes)); });
    peer.reader(name, type, true, &listener);
    forever();
  }
  if (role == "serve") {
    DataWriter* replies = peer.writer("rr" + name + "Reply", type + "_Response_", false);
    Listener listener([&](const Bytes& bytes, const SampleInfo& info) {
      WriteParams params;
      params.related_sample_identity() = info.sample_identity;
      // The client's reader, where the request names it.
      const GUID_t& reader = info.related_sample_identity.writer_guid();
      if (reader != GUID_t::unknown()) params.related_sample_identity().writer_guid() = reader;
      Bytes reply = stringMessage("fastdds: " + textOf(bytes));
      say("request", textOf(bytes));
      replies->write(&reply, params);
    });
    peer.reader("rq" + name + "Request", type + "_Request_", false, &listener);
    forever();
  }
  if (role == "call") {
    GUID_t requestsGuid, repliesGuid;
    Listener listener([&](const Bytes& bytes, const SampleInfo& info) {
      const auto& related = info.related_sample_identity;
      const bool isOurs = related.writer_guid() == repliesGuid || related.writer_guid() == requestsGuid;
      if (isOurs) say("answer", std::to_string(related.sequence_number().to64long()) + " " + textOf(bytes));
    });
    DataReader* replies = peer.reader("rr" + name + "Reply", type + "_Response_", false, &listener);
    DataWriter* requests = peer.writer("rq" + name + "Request", type + "_Request_", false);
    requestsGuid = requests->guid();
    repliesGuid = replies->guid();
    PublicationMatchedStatus status;
    do {
      pause(10);
      requests->get_publication_matched_status(status);
    } while (status.current_count == 0 || listener.matched == 0);
    for (int i = 1; i <= atoi(argv[5]); i++) {
      WriteParams params;
      params.related_sample_identity().writer_guid() = repliesGuid;
      Bytes request = stringMessage("request " + std::to_string(i));
      requests->write(&request, params);
      pause(20);
    }
    forever();
  }
  return 2;
}
