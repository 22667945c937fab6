// The people of `serve --dev`, whom the server names in its pages then and only then.

export interface DemoPerson {
  readonly username: string;
  readonly password: string;
}

/** Those that this server offers for trying it out; none on any other server. */
export const DEMO_PEOPLE: readonly DemoPerson[] = (
  document.querySelector<HTMLMetaElement>('meta[name="demo"]')?.content.split(' ') ?? []
).map((person) => {
  const [username = '', password = ''] = person.split(':');
  return { username, password };
});
