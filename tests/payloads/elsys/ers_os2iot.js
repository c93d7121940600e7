// The same sensor as OS2iot hands it over: ChirpStack's whole event, and the device.
function decode(payload, metadata) {
  const bytes = Array.from(atob(payload.data), (character) => character.charCodeAt(0));
  const document = { device: metadata.name, fCnt: payload.fCnt };
  for (let i = 0; i < bytes.length; ) {
    const type = bytes[i++];
    if (type === 0x01) {
      document.temperature = (((bytes[i] << 8) | bytes[i + 1]) << 16 >> 16) / 10;
      i += 2;
    } else if (type === 0x02) {
      document.humidity = bytes[i++];
    } else break;
  }
  return document;
}
