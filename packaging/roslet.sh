#!/bin/sh
# roslet: starts the agent or the CLI with the Node that belongs to it. In a checkout this file is bin/roslet, installed
# it is PREFIX/bin/roslet with the rest in PREFIX/lib/roslet.
set -eu
top=$(dirname "$(dirname "$(readlink -f "$0")")")

for program in "$top/dist/roslet.cjs" "$top/lib/roslet/roslet.cjs"; do
  [ ! -e "$program" ] || break
done
[ -e "$program" ] || {
  echo "roslet: $program is missing; run 'make build' (or 'make install') first" >&2
  exit 1
}

node=${ROSLET_NODE:-}
if [ -z "$node" ]; then
  for node in "$top/.tools/node_modules/.bin/node" "$top/lib/roslet/node" node; do
    command -v "$node" >/dev/null 2>&1 && break
    node=
  done
fi
[ -n "$node" ] || {
  echo "roslet: no Node found; install Node 24 (22.16 at least) or set ROSLET_NODE to its path" >&2
  exit 1
}

# A robot has better uses for memory than a supervisor's speed: garbage is collected earlier, which costs a tenth more CPU
# with 50 probes a second and saves 19 MB at 100 pods; the young generation is small, and one thread helps with it. One
# arena keeps malloc from spreading. With a limit that it never comes near the heap grows in smaller steps. More of the
# kind the agent asks for itself when it is up (src/main/after-start.ts).
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-1}"
exec "$node" --max-semi-space-size=1 --max-old-space-size=512 --v8-pool-size=1 "$program" "$@"
