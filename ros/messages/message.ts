/**
 * Message and service types: a name, a type hash and a codec. A message is a plain object with the field names of its
 * definition; 64-bit integers are bigint, arrays of numbers typed arrays.
 */

import type { MessageType, ServiceType } from '../transport.ts';
import { decodeMessage, defaultsOf, encodeMessage, type MessageField, minSizeOf } from './codec.ts';

export class RosMessage<T extends object> implements MessageType<T> {
  /** `package/msg/Name` */
  readonly name: string;
  /** `RIHS01_…` */
  readonly typeHash: string;
  readonly fields: readonly MessageField[];
  readonly minSize: number;

  constructor(name: string, typeHash: string, fields: readonly MessageField[]) {
    this.name = name;
    this.typeHash = typeHash;
    this.fields = fields;
    this.minSize = minSizeOf(fields);
  }

  /** A message with the default values of its definition where none are given. */
  create(values: Partial<T> = {}): T {
    return { ...(defaultsOf(this) as T), ...values };
  }

  /** @throws CdrError when a value is not one of its field's type. */
  encode(message: T): Uint8Array {
    return encodeMessage(this, message as Record<string, unknown>);
  }

  /** @throws CdrError when the bytes are not such a message. */
  decode(cdr: Uint8Array): T {
    return decodeMessage(this, cdr) as T;
  }
}

export class RosService<Request extends object, Response extends object>
  implements ServiceType<Request, Response>
{
  /** `package/srv/Name` */
  readonly name: string;
  readonly typeHash: string;
  readonly request: RosMessage<Request>;
  readonly response: RosMessage<Response>;

  constructor(name: string, typeHash: string, request: RosMessage<Request>, response: RosMessage<Response>) {
    this.name = name;
    this.typeHash = typeHash;
    this.request = request;
    this.response = response;
  }
}
