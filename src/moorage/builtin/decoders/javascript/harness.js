// Runs a script's functions on arrays of messages and answers one line of JSON a message.
//
// Evaluated first in a fresh context; its value is the only handle, held by the process, out of the
// script's reach. Everything used later is taken here, before the script can replace it; what a script
// puts on prototypes must not break the framing. JSON.stringify of a string consults nobody's toJSON,
// so lines are put together from strings only.
//
// Lines: [0,result] or [0,result,notFinite,[log…]]; [1,"message","stack",[log…]]; [3] out of memory;
// [5] result too large. (2 timed out, 4 not tried: added by the process.)
(function (maxResult) {
  "use strict";
  const parse = JSON.parse, stringify = JSON.stringify, indirect = eval, text = String;
  const now = Date.now, DateClass = Date, PromiseClass = Promise, isView = ArrayBuffer.isView;
  const bind = Function.prototype.call.bind.bind(Function.prototype.call);
  const slice = bind(String.prototype.slice), includes = bind(String.prototype.includes);
  const outOfMemory = "InternalError: out of memory";
  const maxOut = 1 << 20, maxLogs = 50, maxLog = 500;

  // Shared memory, waiting and finalizers serve no decoder.
  for (const name of ["SharedArrayBuffer", "Atomics", "WeakRef", "FinalizationRegistry"]) {
    delete globalThis[name];
  }

  let logs = "", logged = 0;
  function log(...parts) {
    if (logged >= maxLogs) return;
    let line = "";
    for (let i = 0; i < parts.length && line.length < maxLog; i++) {
      let part = parts[i];
      if (typeof part === "object" && part !== null) {
        try { part = stringify(part); } catch (error) { part = "[object]"; }
      }
      line += (i ? " " : "") + text(part);
    }
    logged++;
    logs += (logs ? "," : "") + stringify(slice(line, 0, maxLog));
  }
  globalThis.console = { log, info: log, warn: log, error: log, debug: log, trace: log };
  globalThis.module = { exports: {} };
  globalThis.exports = globalThis.module.exports;
  globalThis.global = globalThis;

  // How each known function is called; m is what the process sent.
  const shapes = {
    __proto__: null,
    decodeUplink: (f, m) =>
      f({ bytes: m[0], fPort: m[1], recvTime: new DateClass(m[2]), variables: m[3] }),
    decode: (f, m) => f(m[0], m[1]),
    Decode: (f, m) => f(m[1], m[0], m[3]),
    Decoder: (f, m) => f(m[0], m[1]),
    encodeDownlink: (f, m) => 
      sent(f({ data: m[0], fPort: m[1], variables: m[2], code: m[3] })),
    Encode: (f, m) => sent(f(m[1], m[0], m[2])),
    Encoder: (f, m) => sent(f(m[0], m[1])),
  };
  shapes.decodeDownlink = shapes.decodeUplink;

  // Bytes may come as a typed array, which JSON would write as an object.
  function plain(view) {
    const list = [];
    for (let i = 0; i < view.length; i++) list[i] = view[i];
    return list;
  }
  function sent(result) {
    if (isView(result)) return plain(result);
    if (result && isView(result.bytes)) {
      const { fPort, warnings, errors } = result;
      return { bytes: plain(result.bytes), fPort, warnings, errors };
    }
    return result;
  }

  // Numbers that are not finite became null in the JSON; say how many.
  function notFinite(value) {
    if (typeof value === "number") return value - value === 0 ? 0 : 1;
    let count = 0;
    if (typeof value === "object" && value !== null) {
      for (const key in value) count += notFinite(value[key]);
    }
    return count;
  }

  function failure(error) {
    let message = "an error that cannot be shown", stack = "";
    try { message = text(error); } catch (again) { /* A hostile toString. */ }
    try {
      if (typeof error === "object" && error !== null) stack = text(error.stack);
    } catch (again) { /* A hostile getter. */ }
    if (message === outOfMemory || message === "null") return null;
    return '[1,' + stringify(slice(message, 0, 500)) + ',' + stringify(slice(stack, 0, 2000)) +
      ',[' + logs + ']]';
  }

  let functions = { __proto__: null }, queue = [], next = 0, out = "", dirty = false;

  // One message to one line; null when memory ran out. `lines.py` knows this name in stacks.
  function moorageMessage(call, f, message) {
    logs = "";
    logged = 0;
    try {
      const result = call(f, message);
      let json = stringify(result);
      if (json === undefined) json = "null";
      if (json.length > maxResult) return "[5]";
      if (json === "{}" && result instanceof PromiseClass) {
        dirty = true;
        return '[1,"The function returned a promise; a decoder must return its result at once.","",[' +
          logs + ']]';
      }
      let lost = 0;
      if (includes(json, "null")) {
        try { lost = notFinite(result); } catch (error) { lost = 0; }
      }
      if (lost === 0 && logged === 0) return "[0," + json + "]";
      return "[0," + json + "," + lost + ",[" + logs + "]]";
    } catch (error) {
      dirty = true;
      return failure(error);
    }
  }

  // Answers "status;next;lines": status 0 fine, 1 the context is to be replaced, 3 memory ran out at
  // message `next`. Stops early, after `milliseconds` or 1 MiB, so that one call's time limit is one
  // message's limit and the output stays small.
  function run(name, json, start, milliseconds) {
    if (json !== null) {
      queue = parse(json);
      next = start;
      dirty = false;
    }
    out = "";
    const call = shapes[name], f = functions[name], end = now() + milliseconds;
    let status = 0;
    do {
      const line = moorageMessage(call, f, queue[next]);
      if (line === null) { status = 3; break; }
      out += line + "\n";
      next++;
    } while (next < queue.length && out.length < maxOut && now() < end);
    if (status === 0 && dirty) status = 1;
    // What was put on every object's prototype would show in each later for-in loop.
    for (const key in {}) { status = status || 1; break; }
    return partial(status);
  }

  // The binding cannot read a string kept as a rope; a slice is flat.
  function flat(string) {
    return slice(string + " ", 0, -1);
  }

  function partial(status) {
    return flat(status + ";" + next + ";" + out);
  }

  // The script has run as a global script; find what it defines.
  function outline() {
    let list = "";
    for (const name in shapes) {
      let f;
      try {
        f = indirect("typeof " + name + " === 'function' ? " + name + " : undefined");
        const exported = globalThis.module && globalThis.module.exports;
        if (f === undefined && exported) {
          f = exported.name === name ? exported : exported[name];
        }
      } catch (error) {
        f = undefined;
      }
      if (typeof f === "function") {
        functions[name] = f;
        list += (list ? "," : "") + '["' + name + '",' + (f.length >>> 0) + "]";
      }
    }
    return flat("[0,[" + list + "],0,[" + logs + "]]");
  }

  return function (operation, a, b, c, d) {
    if (operation === "run") return run(a, b, c, d);
    return operation === "partial" ? partial(2) : outline();
  };
})
