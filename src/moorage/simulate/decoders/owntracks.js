// OwnTracks on a phone: a location report.
function decode(payload, metadata) {
  const report = payload.values || payload;
  if (report._type === undefined) throw new Error("this is no message of OwnTracks");
  if (report._type !== "location") return undefined; // Regions, cards, farewells.
  return {
    timestamp: report.tst,
    latitude: report.lat,
    longitude: report.lon,
    accuracy_m: report.acc,
    battery: report.batt,
    network: { w: "wifi", m: "mobile", o: "offline" }[report.conn],
  };
}
