import { useTranslation } from 'react-i18next'

const JAVASCRIPT = `// Called once a message; input.bytes holds the payload, input.fPort the port if there is one.
function decodeUplink(input) {
  const bytes = input.bytes
  return {
    data: {
      temperature: ((bytes[0] << 8) | bytes[1]) / 10,
    },
  }
}
`

// message Uplink { sint32 temperature = 1; }
const PROTOBUF = `{
  "message": "Uplink",
  "descriptor": "CjUKDHVwbGluay5wcm90byIdCgZVcGxpbmsSEwoLdGVtcGVyYXR1cmUYASABKBFiBnByb3RvMw=="
}
`

/** Give what a new text of a kind starts from. */
export function skeletonOf(kind: string): string {
  return kind === 'protobuf' ? PROTOBUF : JAVASCRIPT
}

/** Tell the language that a kind's texts are written in. */
export function languageOf(kind: string): 'javascript' | 'json' {
  return kind === 'protobuf' ? 'json' : 'javascript'
}

const NAMES: Record<string, string> = {
  javascript: 'JavaScript',
  cayenneLpp: 'Cayenne LPP',
  'cayenne-lpp': 'Cayenne LPP',
  cayenne: 'Cayenne LPP',
  senml: 'SenML',
  cbor: 'CBOR',
  json: 'JSON',
  msgpack: 'MessagePack',
  messagepack: 'MessagePack',
  protobuf: 'Protocol Buffers',
  xml: 'XML',
}

/** Name a kind of decoder. */
export function useKindName() {
  const { t, i18n } = useTranslation()
  return (kind: string): string =>
    i18n.exists(`decoderKind.${kind}`) ? t(`decoderKind.${kind}` as never) : (NAMES[kind] ?? kind)
}
