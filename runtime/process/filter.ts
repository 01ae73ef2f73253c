/** Selection by labels, as CRI's list filters do it: all given labels must be there with the given values. */
export const matchesLabels = (
  labels: Readonly<Record<string, string>>,
  wanted: Readonly<Record<string, string>> | undefined,
): boolean => Object.entries(wanted ?? {}).every(([key, value]) => labels[key] === value);
