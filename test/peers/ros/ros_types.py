"""The messages of this repository as types of the Cyclone DDS Python binding, made of their definitions."""

import pathlib
import re

from cyclonedds.idl import make_idl_struct, types

ROOT = pathlib.Path(__file__).resolve().parents[3]
PRIMITIVES = {
    'bool': bool, 'byte': types.uint8, 'char': types.uint8, 'string': str,
    'int8': types.int8, 'uint8': types.uint8, 'int16': types.int16, 'uint16': types.uint16,
    'int32': types.int32, 'uint32': types.uint32, 'int64': types.int64, 'uint64': types.uint64,
    'float32': types.float32, 'float64': types.float64,
}
FIELD = re.compile(r'^(?P<type>[\w/]+)(<=(?P<string>\d+))?(\[(?P<bound><=)?(?P<length>\d*)\])?\s+(?P<name>\w+)(\s+[^=].*)?$')

known = {}


def message(name):
    """`package/msg/Name`"""
    if name not in known:
        package, kind, short_name = name.split('/')
        known[name] = struct(name, read(package, kind, short_name))
    return known[name]


def service(name, header=None):
    """Request and response of `package/srv/Name`, with the fields of a header before their own."""
    package, kind, short_name = name.split('/')
    request, response = re.split(r'^---$', read(package, kind, short_name), flags=re.MULTILINE)
    return struct(f'{name}_Request', request, header), struct(f'{name}_Response', response, header)


def read(package, kind, short_name):
    folder = ROOT / 'msgs' if package == 'roslet_msgs' else ROOT / 'ros' / 'interfaces' / package
    return (folder / kind / f'{short_name}.{kind}').read_text()


def struct(name, definition, header=None):
    package, kind, short_name = name.split('/')
    fields = dict(header or {})
    own = 0
    for line in definition.splitlines():
        line = line.split('#')[0].strip()
        if not line or re.match(r'^[\w<=]+\s+[A-Z_0-9]+\s*=', line):
            continue
        field = FIELD.match(line)
        fields[field['name']] = field_type(package, field)
        own += 1
    if own == 0:
        fields['structure_needs_at_least_one_member'] = types.uint8
    return make_idl_struct(f'{short_name}_', f'{package}.{kind}.dds_.{short_name}_', fields)


def field_type(package, field):
    type_name = field['type']
    if type_name in PRIMITIVES:
        element = types.bounded_str[int(field['string'])] if field['string'] else PRIMITIVES[type_name]
    else:
        parts = type_name.split('/')
        element = message(f'{parts[0] if len(parts) > 1 else package}/msg/{parts[-1]}')
    if field['length'] is None:
        return element
    if field['length'] == '':
        return types.sequence[element]
    return (types.sequence if field['bound'] else types.array)[element, int(field['length'])]


def to_plain(value):
    if hasattr(value, '__idl__'):
        return {name: to_plain(getattr(value, name)) for name in value.__annotations__}
    if isinstance(value, (list, tuple, bytes)):
        return [to_plain(element) for element in value]
    return None if value != value else value


def to_message(type, values):
    """A value of the type; what is not given is zero."""
    return type(**{name: to_field(kind, values.get(name)) for name, kind in type.__annotations__.items()})


def to_field(kind, value):
    if hasattr(kind, '__idl__'):
        return to_message(kind, value or {})
    for extra in getattr(kind, '__metadata__', ()):
        if isinstance(extra, types.sequence):
            return [to_field(extra.subtype, element) for element in value or []]
        if isinstance(extra, types.array):
            return [to_field(extra.subtype, element) for element in value or [None] * extra.length]
    if value is not None:
        return value
    base = getattr(kind, '__origin__', kind)
    return '' if base is str else False if base is bool else 0.0 if base is float else 0
