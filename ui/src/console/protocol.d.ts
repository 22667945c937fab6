// The shape of `protocol.toml`, which the build turns into JSON.

declare module '*/protocol.toml' {
  interface Tag {
    readonly tag: number;
    readonly name: string;
    readonly type: string;
    readonly doc: string;
    readonly server?: boolean;
  }
  interface Frame {
    readonly type: number;
    readonly name: string;
    readonly from: 'client' | 'server' | 'both';
    readonly fields: readonly string[];
    readonly tags?: readonly Tag[];
    readonly tags_of?: string;
    readonly doc: string;
  }
  interface EntryKind {
    readonly kind: number;
    readonly name: string;
    readonly send: boolean;
    readonly tags?: readonly Tag[];
  }
  interface Value {
    readonly value: number;
    readonly name: string;
    readonly doc: string;
  }
  interface Numbers {
    readonly name: string;
    readonly of: string;
    readonly bits?: boolean;
    readonly values: readonly Value[];
  }
  interface Code {
    readonly code: number;
    readonly name: string;
    readonly doc: string;
  }
  const protocol: {
    readonly frame: readonly Frame[];
    readonly record: { readonly fields: readonly string[]; readonly tags: readonly Tag[] };
    readonly entry_kind: readonly EntryKind[];
    readonly error: readonly Code[];
    readonly close: readonly Code[];
    readonly number: readonly Numbers[];
  };
  export default protocol;
}
