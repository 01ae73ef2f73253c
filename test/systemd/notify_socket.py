# Plays systemd's side of sd_notify(3): prints each datagram as JSON with the pid that the kernel vouches for, and
# answers barriers by closing the descriptor that comes with them.
import array, json, os, socket, struct, sys

receiver = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
receiver.bind(sys.argv[1])
receiver.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
print(json.dumps({"bound": True}), flush=True)
while True:
    data, control, _, _ = receiver.recvmsg(4096, 256)
    pid = None
    for _, kind, payload in control:
        if kind == socket.SCM_CREDENTIALS:
            pid = struct.unpack("3i", payload[:12])[0]
        elif kind == socket.SCM_RIGHTS:
            for descriptor in array.array("i", payload):
                os.close(descriptor)
    text = data.decode()
    if not text.startswith("BARRIER="):
        print(json.dumps({"text": text, "pid": pid}), flush=True)
