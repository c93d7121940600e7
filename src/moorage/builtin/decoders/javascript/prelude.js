// What published codecs lean on besides the language: Buffer, TextDecoder, TextEncoder, require("buffer").
// Evaluated before scripts that name one of them.
(function () {
  "use strict";
  function encodeUtf8(text) {
    const escaped = unescape(encodeURIComponent(String(text)));
    const bytes = new Uint8Array(escaped.length);
    for (let i = 0; i < escaped.length; i++) bytes[i] = escaped.charCodeAt(i);
    return bytes;
  }

  function decodeUtf8(bytes, fatal) {
    let text = "";
    for (let i = 0; i < bytes.length;) {
      const lead = bytes[i++];
      let more = lead < 0x80 ? 0 : lead >= 0xc2 && lead < 0xe0 ? 1
        : lead >= 0xe0 && lead < 0xf0 ? 2 : lead >= 0xf0 && lead < 0xf5 ? 3 : -1;
      let code = more === 0 ? lead : more === 1 ? lead & 31 : more === 2 ? lead & 15 : lead & 7;
      const least = more === 2 ? 0x800 : more === 3 ? 0x10000 : 0;
      for (; more > 0 && i < bytes.length && (bytes[i] & 0xc0) === 0x80; more--) {
        code = (code << 6) | (bytes[i++] & 63);
      }
      if (more !== 0 || code < least || code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) {
        if (fatal) throw new TypeError("The encoded data was not valid utf-8.");
        code = 0xfffd;
      }
      text += String.fromCodePoint(code);
    }
    return text;
  }

  function latin1(bytes) {
    let text = "";
    for (let i = 0; i < bytes.length; i++) text += String.fromCharCode(bytes[i]);
    return text;
  }

  function view(source) {
    if (source === undefined) return new Uint8Array(0);
    if (ArrayBuffer.isView(source)) {
      return new Uint8Array(source.buffer, source.byteOffset, source.byteLength);
    }
    return new Uint8Array(source);
  }

  class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return encodeUtf8(text); }
  }

  class TextDecoder {
    constructor(label = "utf-8", options = {}) {
      const name = String(label).toLowerCase();
      if (["utf-8", "utf8", "unicode-1-1-utf-8"].includes(name)) this.encoding = "utf-8";
      else if (["ascii", "us-ascii", "latin1", "iso-8859-1", "windows-1252"].includes(name)) {
        this.encoding = "windows-1252";
      } else throw new RangeError("The encoding " + label + " is not supported.");
      this.fatal = Boolean(options.fatal);
      this.ignoreBOM = Boolean(options.ignoreBOM);
    }
    decode(source) {
      const bytes = view(source);
      if (this.encoding !== "utf-8") return latin1(bytes);
      const text = decodeUtf8(bytes, this.fatal);
      return !this.ignoreBOM && text.charCodeAt(0) === 0xfeff ? text.slice(1) : text;
    }
  }

  function bytesOf(text, encoding) {
    switch (String(encoding || "utf8").toLowerCase()) {
      case "hex": {
        const bytes = [];
        for (let i = 0; i + 1 < text.length; i += 2) {
          const byte = parseInt(text.slice(i, i + 2), 16);
          if (Number.isNaN(byte)) break;
          bytes.push(byte);
        }
        return bytes;
      }
      case "base64":
      case "base64url": {
        const clean = text.replace(/-/g, "+").replace(/_/g, "/").replace(/[^A-Za-z0-9+/]/g, "");
        return Array.from(atob(clean + "===".slice((clean.length + 3) % 4)), (c) => c.charCodeAt(0));
      }
      case "ascii":
      case "latin1":
      case "binary":
        return Array.from(text, (c) => c.charCodeAt(0) & 255);
      case "utf8":
      case "utf-8":
        return encodeUtf8(text);
      default:
        throw new TypeError("Unknown encoding: " + encoding);
    }
  }

  class Buffer extends Uint8Array {
    static from(source, encoding, length) {
      if (typeof source === "string") return Buffer.from(bytesOf(source, encoding));
      if (source instanceof ArrayBuffer) return new Buffer(source, encoding, length);
      if (source && source.type === "Buffer" && Array.isArray(source.data)) source = source.data;
      const buffer = new Buffer(source.length);
      for (let i = 0; i < buffer.length; i++) buffer[i] = source[i];
      return buffer;
    }
    static alloc(size, fill = 0) { return new Buffer(size).fill(fill); }
    static allocUnsafe(size) { return new Buffer(size); }
    static isBuffer(thing) { return thing instanceof Buffer; }
    static byteLength(text, encoding) { return bytesOf(String(text), encoding).length; }
    static concat(list) {
      let size = 0;
      for (const part of list) size += part.length;
      const whole = new Buffer(size);
      let at = 0;
      for (const part of list) {
        whole.set(part, at);
        at += part.length;
      }
      return whole;
    }
    slice(start, end) { return this.subarray(start, end); }
    equals(other) { return this.toString("hex") === Buffer.from(other).toString("hex"); }
    toJSON() { return { type: "Buffer", data: Array.from(this) }; }
    toString(encoding = "utf8", start = 0, end = this.length) {
      const bytes = this.subarray(start, end);
      switch (String(encoding).toLowerCase()) {
        case "hex":
          return Array.from(bytes, (byte) => (byte < 16 ? "0" : "") + byte.toString(16)).join("");
        case "base64":
          return btoa(latin1(bytes));
        case "ascii":
          return latin1(bytes.map((byte) => byte & 127));
        case "latin1":
        case "binary":
          return latin1(bytes);
        default:
          return decodeUtf8(bytes, false);
      }
    }
    readUIntBE(at, size) {
      check(this, at, size);
      let value = 0;
      for (let i = 0; i < size; i++) value = value * 256 + this[at + i];
      return value;
    }
    readUIntLE(at, size) {
      check(this, at, size);
      let value = 0;
      for (let i = size - 1; i >= 0; i--) value = value * 256 + this[at + i];
      return value;
    }
    readIntBE(at, size) { return signed(this.readUIntBE(at, size), size); }
    readIntLE(at, size) { return signed(this.readUIntLE(at, size), size); }
  }

  function check(buffer, at, size) {
    if (at < 0 || at + size > buffer.length) {
      throw new RangeError("The value of \"offset\" is out of range: " + at);
    }
  }
  function signed(value, size) {
    return value >= 2 ** (8 * size - 1) ? value - 2 ** (8 * size) : value;
  }
  function method(name, body) {
    Object.defineProperty(Buffer.prototype, name, { value: body, writable: true, configurable: true });
  }
  for (const [kind, size, get, set] of [
    ["UInt8", 1, "getUint8", "setUint8"], ["Int8", 1, "getInt8", "setInt8"],
    ["UInt16", 2, "getUint16", "setUint16"], ["Int16", 2, "getInt16", "setInt16"],
    ["UInt32", 4, "getUint32", "setUint32"], ["Int32", 4, "getInt32", "setInt32"],
    ["Float", 4, "getFloat32", "setFloat32"], ["Double", 8, "getFloat64", "setFloat64"],
    ["BigUInt64", 8, "getBigUint64", "setBigUint64"], ["BigInt64", 8, "getBigInt64", "setBigInt64"],
  ]) {
    for (const [ending, little] of size === 1 ? [["", false]] : [["BE", false], ["LE", true]]) {
      const read = function (at = 0) {
        check(this, at, size);
        return new DataView(this.buffer, this.byteOffset, this.byteLength)[get](at, little);
      };
      const write = function (value, at = 0) {
        check(this, at, size);
        new DataView(this.buffer, this.byteOffset, this.byteLength)[set](at, value, little);
        return at + size;
      };
      for (const spelt of [kind, kind.replace("UInt", "Uint")]) {
        method("read" + spelt + ending, read);
        method("write" + spelt + ending, write);
      }
    }
  }

  function require(name) {
    if (name === "buffer" || name === "node:buffer") return { Buffer };
    if (name === "util" || name === "node:util") return { TextDecoder, TextEncoder };
    throw new Error("require(\"" + name + "\") is not available: a decoder is one file.");
  }
  for (const [name, value] of Object.entries({ Buffer, TextDecoder, TextEncoder, require })) {
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });
  }
})()
