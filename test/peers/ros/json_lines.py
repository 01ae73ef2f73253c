"""How a peer of the tests is driven: a command a line on standard input, answers and samples a line on standard output."""

import json
import sys
import threading

_output_lock = threading.Lock()


def tell(line):
    with _output_lock:
        print(json.dumps(line), flush=True)


def serve(peer, commands):
    """Does what each line says ("id", "op" and its arguments) by the method of that name, to the end of the input."""
    for line in sys.stdin:
        command = json.loads(line)
        request_id, op = command.pop('id'), command.pop('op')
        try:
            if op not in commands:
                raise ValueError(f'{op} is none of {commands}')
            tell({'id': request_id, 'result': getattr(peer, op)(**command)})
        except Exception as error:  # The test is to see it, whatever it is.
            tell({'id': request_id, 'error': f'{type(error).__name__}: {error}'})
