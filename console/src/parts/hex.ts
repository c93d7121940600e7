/** Read hex digits (spaces, colons, 0x allowed) into bytes; null where it is none. */
export function fromHex(text: string): Uint8Array<ArrayBuffer> | null {
  const digits = text.replace(/0x/gi, '').replace(/[\s:,-]/g, '')
  if (digits.length % 2 || !/^[0-9a-f]*$/i.test(digits)) return null
  return Uint8Array.from(digits.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16))
}

/** Write bytes as hex, a space between each. */
export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (b) => b.toString(16).padStart(2, '0')).join(' ')
}

/** Read base64 into bytes. */
export function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0))
}

/** Write bytes as base64. */
export function toBase64(bytes: Uint8Array): string {
  return btoa(Array.from(bytes, (b) => String.fromCharCode(b)).join(''))
}

/** Read bytes as UTF-8 text; null where they are none or hold control characters. */
export function asText(bytes: Uint8Array<ArrayBuffer>): string | null {
  try {
    const text = new TextDecoder('utf-8', { fatal: true }).decode(bytes)
    // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for.
    return /[\u0000-\u0008\u000b\u000c\u000e-\u001f]/.test(text) ? null : text
  } catch {
    return null
  }
}
