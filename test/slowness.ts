/**
 * How many times slower than other machines the one that the tests run on is, as whoever starts them knows: in a virtual
 * machine without KVM. Tests then wait longer for the same.
 */
export const slowness = Number(process.env.ROSLET_SLOWNESS ?? 1);
