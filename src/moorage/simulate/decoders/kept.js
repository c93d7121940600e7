// A site that was offline hands the bytes it kept over later, as {"at", "id", "values": {"data"}}
// with the bytes in base64; what comes at once is bytes alone.
function decode(payload, metadata) {
  const kept = payload.values || payload;
  const bytes = Array.from(atob(kept.data), (character) => character.charCodeAt(0));
  return Decode(kept.fPort, bytes, (metadata || {}).metadata || {});
}
