/** Reads and writes the plain tar files (POSIX ustar) that OCI images are made of. */
export interface TarEntry {
  /** A path that ends in `/` is a directory. */
  path: string;
  mode?: number;
  content?: Buffer;
  /** Target of a symbolic link. */
  link?: string;
}

const blockBytes = 512;

export function tar(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap((entry) => {
    const content = entry.content ?? Buffer.alloc(0);
    return [header(entry, content.length), content, Buffer.alloc(padding(content.length))];
  });
  return Buffer.concat([...blocks, Buffer.alloc(2 * blockBytes)]);
}

/** The regular files of a tar made by `tar`. */
export function untar(archive: Buffer): Map<string, Buffer> {
  const files = new Map<string, Buffer>();
  for (let at = 0; archive[at]; ) {
    const path = archive.toString('utf8', at, at + 100).replace(/\0.*$/s, '');
    const size = Number.parseInt(archive.toString('ascii', at + 124, at + 135), 8);
    files.set(path, archive.subarray(at + blockBytes, at + blockBytes + size));
    at += blockBytes + size + padding(size);
  }
  return files;
}

function header(entry: TarEntry, size: number): Buffer {
  const block = Buffer.alloc(blockBytes);
  const octal = (value: number, digits: number) => value.toString(8).padStart(digits, '0');
  const type = entry.link !== undefined ? '2' : entry.path.endsWith('/') ? '5' : '0';
  if (Buffer.byteLength(entry.path) > 100) throw new Error(`path too long for this tar: ${entry.path}`);
  block.write(entry.path, 0);
  block.write(octal(entry.mode ?? 0o644, 7), 100);
  block.write(octal(0, 7), 108);
  block.write(octal(0, 7), 116);
  block.write(octal(size, 11), 124);
  block.write(octal(0, 11), 136);
  block.write(' '.repeat(8), 148);
  block.write(type, 156);
  block.write(entry.link ?? '', 157);
  block.write('ustar\x0000', 257);
  const checksum = block.reduce((sum, byte) => sum + byte, 0);
  block.write(`${octal(checksum, 6)}\0 `, 148);
  return block;
}

const padding = (size: number): number => (blockBytes - (size % blockBytes)) % blockBytes;
