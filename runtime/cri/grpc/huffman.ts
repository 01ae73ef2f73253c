/**
 * Strings in HPACK's Huffman code (RFC 7541, appendix B). The code is canonical: codes of one length follow each other in
 * the order of their octets, those of the next length follow them. So the lengths say all.
 */

/** In bits, of the code of each octet; base 36. */
const lengths = `dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca\
d67777777777777777777777878djde6f56565666577666567655677777fbeds\
kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn\
qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq`;

const longestBits = 30;

/** For each length the octets that have it, in order. */
const octets: readonly (readonly number[])[] = Array.from({ length: longestBits + 1 }, (_, bits) =>
  Array.from(lengths, (digit, octet) => (Number.parseInt(digit, 36) === bits ? octet : -1)).filter(
    (octet) => octet >= 0,
  ),
);

/** For each length its first code. */
const firstCodes: number[] = [0];
for (let bits = 1; bits <= longestBits; bits++) {
  firstCodes[bits] = (firstCodes[bits - 1]! + octets[bits - 1]!.length) * 2;
}

/** @throws RangeError */
export function decodeHuffman(bytes: Buffer): Buffer {
  const text: number[] = [];
  let code = 0;
  let bits = 0;
  for (const byte of bytes) {
    for (let bit = 7; bit >= 0; bit--) {
      code = (code << 1) | ((byte >> bit) & 1);
      bits += 1;
      if (bits > longestBits) throw new RangeError('a string is not in the Huffman code');
      const octet = octets[bits]![code - firstCodes[bits]!];
      if (octet === undefined) continue;
      text.push(octet);
      code = 0;
      bits = 0;
    }
  }
  // What is left fills the last byte, with ones.
  if (bits > 7 || code !== 2 ** bits - 1) throw new RangeError('a string in the Huffman code is cut off');
  return Buffer.from(text);
}
