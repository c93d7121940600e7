// Nuki Smart Lock: what the Nuki Bridge posts to a callback.
const DOOR = { 1: "deactivated", 2: "closed", 3: "open", 4: "unknown", 5: "calibrating" };

function decode(payload, metadata) {
  const lock = payload.values || payload;
  if (lock.nukiId === undefined) throw new Error("this is no callback of a Nuki Bridge");
  return {
    state: lock.stateName,
    locked: lock.state === 1,
    door: DOOR[lock.doorsensorState],
    battery: lock.batteryChargeState,
    battery_critical: lock.batteryCritical,
  };
}
