// Search in a list of names: what is meant comes first, what only holds the letters last.
// A choice is [value, symbol, name, tags].

/** Words in lower case without accents and punctuation, for example "two o clock". */
const searchKey = (text) =>
  text
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .toLowerCase()
    .replace(/[^\p{L}\p{N}]+/gu, " ")
    .trim();

const searchKeys = new WeakMap(); // of choices, made once
const keysOf = (choice) => {
  if (!searchKeys.has(choice)) {
    const [, , name, tags] = choice;
    searchKeys.set(choice, { name: searchKey(name), tags: tags.map((tag) => searchKey(tag)) });
  }
  return searchKeys.get(choice);
};

const holdsWords = (text, words) => ` ${text} `.includes(` ${words} `);

/** How well a choice fits, from 0 (its very name); Infinity where it does not fit at all. */
const searchRank = ({ name, tags }, words) => {
  const parts = words.split(" ");
  const every = [name, ...tags].join(" ");
  const tests = [
    () => name === words,
    () => `${name} `.startsWith(`${words} `),
    () => tags.includes(words),
    () => holdsWords(name, words),
    () => name.startsWith(words),
    () => ` ${name}`.includes(` ${words}`),
    () => tags.some((tag) => tag.startsWith(words)),
    () => tags.some((tag) => holdsWords(tag, words)),
    () => parts.every((part) => holdsWords(every, part)),
    () => name.includes(words),
    () => tags.some((tag) => tag.includes(words)),
    () => parts.every((part) => every.includes(part)),
  ];
  const found = tests.findIndex((fits) => fits());
  return found < 0 ? Infinity : found;
};

const pairs = new Map(); // of words, made once
const pairsOf = (word) => {
  if (!pairs.has(word)) {
    const framed = `^${word}$`;
    pairs.set(word, new Set([...framed].slice(1).map((letter, place) => framed[place] + letter)));
  }
  return pairs.get(word);
};

/** Share of the pairs of letters that two words have in common, 0 to 1. */
const likeness = (one, other) => {
  const [first, second] = [pairsOf(one), pairsOf(other)];
  const both = [...first].filter((pair) => second.has(pair)).length;
  return (2 * both) / (first.size + second.size);
};

const likest = (word, texts) =>
  Math.max(0, ...texts.flatMap((text) => text.split(" ")).map((other) => likeness(word, other)));

/** The words that count, with how much each tells: the more the fewer choices hold it. */
const weighed = (choices, words) =>
  words
    .split(" ")
    .filter((word, _, all) => word.length > 2 || all.length === 1)
    .map((word) => {
      const holds = ({ name, tags }) => [name, ...tags].some((text) => holdsWords(text, word));
      const held = choices.filter((one) => holds(keysOf(one))).length;
      return [word, Math.log(1 + choices.length / (1 + held))];
    });

/** How near a choice comes to words that no choice fits; every word counts for itself. */
const nearness = ({ name, tags }, words) =>
  words
    .map(([word, weight]) => weight * Math.max(likest(word, [name]), 0.9 * likest(word, tags)) ** 2)
    .reduce((sum, one) => sum + one, 0);

const MAX_NEAREST = 5;

/**
 * The choices that fit some words, best first.
 * Where none fits, `fits` is false and `choices` holds the nearest ones.
 */
const searchChoices = (choices, text) => {
  const bare = text.replaceAll("\uFE0F", "").trim();
  const symbol = choices.find((one) => bare && one[1].replaceAll("\uFE0F", "") === bare);
  if (symbol) return { fits: true, choices: [symbol] };
  const words = searchKey(text);
  if (!words) return { fits: !bare, choices: bare ? [] : choices };
  const ranked = choices
    .map((choice) => {
      const keys = keysOf(choice);
      const few = keys.tags.includes(words) ? keys.tags.length : 0; // few words mean each one more
      return { choice, rank: searchRank(keys, words), few, length: keys.name.length };
    })
    .filter((one) => one.rank < Infinity)
    .toSorted((a, b) => a.rank - b.rank || a.few - b.few || a.length - b.length);
  if (ranked.length) return { fits: true, choices: ranked.map((one) => one.choice) };
  const named = choices.filter((choice) => choice[0]);
  const telling = weighed(named, words);
  const nearest = named
    .map((choice) => {
      const keys = keysOf(choice);
      // where its whole name stands among the words
      const said = holdsWords(words, keys.name) ? words.indexOf(keys.name) : words.length;
      return { choice, said, near: nearness(keys, telling), length: choice[2].length };
    })
    .toSorted((a, b) => a.said - b.said || b.near - a.near || a.length - b.length)
    .slice(0, MAX_NEAREST);
  return { fits: false, choices: nearest.map((one) => one.choice) };
};

window.varStudio = { ...window.varStudio, search: searchChoices };
