// Axioma Qalcosonic W1: time, status, volume, then the volume at the last log and 15 hourly steps.
// Little-endian; the volumes are litres.
var STATUS = { 0x00: "ok", 0x04: "battery low", 0x08: "broken", 0x10: "dry", 0x30: "leak", 0x60: "backflow", 0x90: "freezing", 0xb0: "burst" };

function uint32(bytes, at) {
  return (bytes[at] | bytes[at + 1] << 8 | bytes[at + 2] << 16 | bytes[at + 3] << 24) >>> 0;
}

function Decode(fPort, bytes, variables) {
  if (bytes.length < 47) throw new Error(bytes.length + " bytes instead of 47");
  return {
    timestamp: uint32(bytes, 0),
    status: STATUS[bytes[4]] || "0x" + bytes[4].toString(16),
    volume_m3: uint32(bytes, 5) / 1000,
    log_volume_m3: uint32(bytes, 13) / 1000,
    last_hour_l: bytes[45] | bytes[46] << 8,
  };
}
