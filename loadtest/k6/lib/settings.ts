// What a scenario can be told by the environment.

/** A number from the environment. */
export function setting(name: string, otherwise: number): number {
  const text = __ENV[`CHASQUI_${name}`];
  const value = text === undefined ? otherwise : Number(text);
  if (!Number.isFinite(value) || value < 0) throw new Error(`CHASQUI_${name} is not a number: ${text}`);
  return value;
}
