// Dragino LHT65 with the external probe E1, in the oldest form: Decoder(bytes, port).
function Decoder(bytes, port) {
  if (port !== 2) throw new Error("port " + port + " carries no readings");
  var decoded = {};
  decoded.BatV = (((bytes[0] << 8) | bytes[1]) & 0x3fff) / 1000;
  decoded.Bat_status = bytes[0] >> 6;
  decoded.TempC_SHT = ((bytes[2] << 24 >> 16) | bytes[3]) / 100;
  decoded.Hum_SHT = ((bytes[4] << 8) | bytes[5]) / 10;
  decoded.Ext = bytes[6] & 0x7f;
  if (decoded.Ext === 1) decoded.TempC_DS = ((bytes[7] << 24 >> 16) | bytes[8]) / 100;
  return decoded;
}
