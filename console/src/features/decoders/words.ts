import { useTranslation } from 'react-i18next'

/** What a new script starts from. */
export const SKELETON = `// Called once a message; input.bytes holds the payload, input.fPort the port if there is one.
function decodeUplink(input) {
  const bytes = input.bytes
  return {
    data: {
      temperature: ((bytes[0] << 8) | bytes[1]) / 10,
    },
  }
}
`

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
  xml: 'XML',
}

/** Name a kind of decoder. */
export function useKindName() {
  const { t, i18n } = useTranslation()
  return (kind: string): string =>
    i18n.exists(`decoderKind.${kind}`) ? t(`decoderKind.${kind}` as never) : (NAMES[kind] ?? kind)
}
