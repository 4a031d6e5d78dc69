// A client for iris websocket servers. With a script element it defines the class Ws:
//
//   const ws = new Ws("ws://127.0.0.1:8080/ws/iris");
//   ws.OnConnect(() => ws.Emit("chat", "hello"));
//   ws.On("chat", (text) => console.log(text));
var Ws = (() => {
  "use strict";

  // Filled in by the server that gives this file out.
  const prefix = "PREFIX";

  const type = { text: 0, int: 1, bool: 2, json: 4 };

  // Whatever JavaScript can turn into a number goes as one, also text and true: servers know it so.
  const isNumber = (data) =>
    data !== null && data !== undefined && data !== "" && data !== false && typeof data !== "symbol" && !isNaN(data - 0);

  function encode(event, data) {
    const message = (kind, text) => prefix + event + ";" + kind + ";" + text;
    if (data === undefined) return message(type.text, "");
    if (isNumber(data)) return message(type.int, data.toString());
    if (typeof data === "boolean" || data instanceof Boolean) return message(type.bool, data.toString());
    if (typeof data === "string" || data instanceof String) return message(type.text, data.toString());
    const json = JSON.stringify(data);
    if (json === undefined) throw new TypeError("this kind of data cannot be sent");
    return message(type.json, json);
  }

  class Ws {
    constructor(endpoint, protocols) {
      this.connectListeners = [];
      this.disconnectListeners = [];
      this.nativeMessageListeners = [];
      this.messageListeners = new Map();
      this.isReady = false;
      const url = /^wss?:\/\//i.test(endpoint) ? endpoint : "ws://" + endpoint;
      this.conn = protocols && protocols.length > 0 ? new WebSocket(url, protocols) : new WebSocket(url);
      this.conn.binaryType = "arraybuffer";
      this.conn.onopen = () => {
        this.isReady = true;
        this.connectListeners.forEach((listener) => listener());
      };
      this.conn.onclose = () => {
        this.isReady = false;
        this.disconnectListeners.forEach((listener) => listener());
      };
      this.conn.onmessage = (message) => this.received(message.data);
    }

    // Calls f once connected; at once if it is.
    OnConnect(f) {
      if (this.isReady) f();
      this.connectListeners.push(f);
    }

    OnDisconnect(f) {
      this.disconnectListeners.push(f);
    }

    // Calls f with each native message.
    OnMessage(f) {
      this.nativeMessageListeners.push(f);
    }

    // Calls f with the data of each event of this name: always text, as it came.
    On(event, f) {
      const listeners = this.messageListeners.get(event);
      if (listeners) listeners.push(f);
      else this.messageListeners.set(event, [f]);
    }

    Emit(event, data) {
      this.conn.send(encode(event, data));
    }

    EmitMessage(message) {
      this.conn.send(message);
    }

    Disconnect() {
      this.conn.close();
    }

    // Only a server that is set to binary messages sends any, and data that is no text.
    received(data) {
      const message = typeof data === "string" ? data : new TextDecoder().decode(data);
      const at = message.indexOf(prefix);
      const start = at + prefix.length;
      const end = at < 0 ? -1 : message.indexOf(";", start);
      if (end < 0) {
        this.nativeMessageListeners.forEach((listener) => listener(message));
      } else if (at === 0) {
        // A semicolon, the type, a semicolon.
        const text = message.slice(end + 3);
        (this.messageListeners.get(message.slice(start, end)) || []).forEach((listener) => listener(text));
      }
      // What has the prefix further on is lost, as it is to the original client.
    }
  }

  return Ws;
})();
