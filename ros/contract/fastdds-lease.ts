/**
 * What Fast DDS reads its lease from. Its own is 20 s, for which a process that was killed stays on the graph, and the next case
 * finds it there.
 */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Shorter ones end on a machine that is busy; longer ones would be waited for by the next case. */
const [shortestS, longestS] = [3, 20];

export interface LeaseProfiles {
  env: Record<string, string>;
  remove(): void;
}

export function fastDdsLease(wantedMs = 0): LeaseProfiles {
  const leaseS = Math.min(Math.max(Math.ceil(wantedMs / 1000), shortestS), longestS);
  const dir = mkdtempSync(join(tmpdir(), 'roslet-fastdds-'));
  const file = join(dir, 'profiles.xml');
  writeFileSync(
    file,
    `<?xml version="1.0" encoding="UTF-8"?>
<profiles xmlns="http://www.eprosima.com/XMLSchemas/fastRTPS_Profiles">
  <participant profile_name="peer" is_default_profile="true"><rtps><builtin><discovery_config>
    <leaseDuration><sec>${leaseS}</sec></leaseDuration>
    <leaseAnnouncement><sec>1</sec></leaseAnnouncement>
  </discovery_config></builtin></rtps></participant>
</profiles>
`,
  );
  return {
    env: { FASTRTPS_DEFAULT_PROFILES_FILE: file },
    remove: () => rmSync(dir, { recursive: true, force: true }),
  };
}
