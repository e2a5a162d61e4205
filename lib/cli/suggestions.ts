/** What someone may have meant by an option that does not exist. */

/** Letters to insert, remove, replace or swap with their neighbour to make b of a. */
function edits(a: string, b: string): number {
  const table = Array.from({ length: a.length + 1 }, (_, i) =>
    Array.from({ length: b.length + 1 }, (_, j) => (i === 0 ? j : j === 0 ? i : 0)),
  );
  for (let i = 1; i <= a.length; i++)
    for (let j = 1; j <= b.length; j++) {
      const other = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      table[i]![j] = Math.min(
        table[i - 1]![j]! + 1,
        table[i]![j - 1]! + 1,
        table[i - 1]![j - 1]! + other,
        swapped ? table[i - 2]![j - 2]! + 1 : Number.POSITIVE_INFINITY,
      );
    }
  return table[a.length]![b.length]!;
}

const isPart = (a: string, b: string) => a.startsWith(b) || b.startsWith(a);

/** The known name nearest to a wrong one; undefined where none is near. */
export function nearest(wrong: string, known: readonly string[]): string | undefined {
  const near = known
    .map((name) => ({ name, distance: isPart(name, wrong) ? 1 : edits(wrong, name) }))
    .filter(({ name, distance }) => distance <= Math.max(1, Math.min(name.length, wrong.length) / 3))
    .sort((a, b) => a.distance - b.distance);
  return near[0]?.name;
}

/**
 * yargs' message about arguments that it does not know, as a sentence with what was meant: it lists options with dashes
 * once more in camel case, and calls a command that does not exist an argument.
 * @param first what the command line begins with
 */
export function unknownArguments(
  message: string,
  first: string | undefined,
  options: readonly string[],
): string {
  const list = /^Unknown arguments?: (.*)$/s.exec(message)?.[1];
  if (list === undefined) return message;
  const camel = (name: string) => name.replace(/-(.)/g, (_, letter: string) => letter.toUpperCase());
  const all = list.split(", ");
  const names = all.filter((name) => !all.some((other) => other !== name && camel(other) === name));
  if (names[0] === first) return `'${first}' is no command`;
  const known = options.filter((name) => name.length > 1);
  const meant = names.flatMap((name) => nearest(name, known) ?? []).map((name) => `--${name}`);
  const sentence = `Unknown ${names.length === 1 ? "argument" : "arguments"}: ${names.join(", ")}`;
  return meant.length > 0 ? `${sentence}. Did you mean ${meant.join(", ")}?` : sentence;
}
