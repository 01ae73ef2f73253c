/** The commands of `roslet ros` with their options and help. */
import type { Command } from 'commander';
import { duration, examples, positive, wholeNumber } from './option-values.ts';
import type { GraphTopic, PublishOptions, RosAccess } from './ros.ts';

export function addRosCommands(
  command: Command,
  ros: RosAccess,
  signal: AbortSignal,
  exit: (code: number) => void,
): void {
  command
    .description('look at the ROS graph and take part in it, without ROS 2 (ROS_DOMAIN_ID … as for ros2)')
    .addHelpText('after', examples('roslet ros topics', 'roslet ros echo /robot/roslet/pods --once'));
  for (const what of ['topics', 'nodes', 'services'] satisfies GraphTopic[]) {
    command
      .command(what)
      .description(`list the ${what} of the ROS graph`)
      .action(async () => {
        const { listGraph } = await import('./ros.ts');
        exit(await listGraph(ros, what, signal));
      });
  }
  command
    .command('echo')
    .argument('<topic>')
    .description('print what is published on a topic')
    .option('--once', 'only one message', false)
    .addHelpText(
      'after',
      examples('roslet ros echo /robot/roslet/pods --once', 'roslet ros echo /diagnostics'),
    )
    .action(async (topic: string, o: { once: boolean }) => {
      const { echo } = await import('./ros.ts');
      exit(await echo(ros, topic, o, signal));
    });
  command
    .command('pub')
    .argument('<topic>')
    .description('publish a message again and again')
    .option('--type <type>', 'its type', 'std_msgs/msg/String')
    .option('--data <yaml>', 'its fields; what is left out has its default', '{}')
    .option('--rate <hz>', 'how often', positive, 1)
    .option('--times <count>', 'how many; without end unless given', wholeNumber)
    .option('--node <name>', 'the name of the node that publishes', `roslet_pub_${process.pid}`)
    .option('--lease <duration>', 'offer a liveliness lease', duration)
    .addHelpText(
      'after',
      examples(
        'roslet ros pub /chatter --data "{data: hello}"',
        'roslet ros pub /camera/heartbeat --type std_msgs/msg/Empty --rate 20 --node camera',
      ),
    )
    .action(
      async (
        topic: string,
        o: Omit<PublishOptions, 'rateHz' | 'livelinessLeaseMs'> & { rate: number; lease?: number },
      ) => {
        const { publish } = await import('./ros.ts');
        const { rate: rateHz, lease, ...rest } = o;
        const more = lease === undefined ? {} : { livelinessLeaseMs: lease * 1000 };
        exit(await publish(ros, topic, { ...rest, ...more, rateHz }, signal));
      },
    );
}
