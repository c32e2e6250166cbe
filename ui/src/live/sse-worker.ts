/** Shared worker: one `Hub` for all tabs of the browser, open while at least one tab is. */
import { Hub, type Command, type StreamMessage } from './hub';

const ports = new Set<MessagePort>();
const hub = new Hub((message: StreamMessage) => {
  for (const port of ports) port.postMessage(message);
});

function command(port: MessagePort, word: Command) {
  if (word === 'bye') {
    ports.delete(port);
    if (ports.size === 0) hub.close();
    return;
  }
  ports.add(port);
  if (word === 'retry') {
    hub.retry();
    return;
  }
  if (hub.ticks.length > 0) port.postMessage({ kind: 'history', ticks: hub.ticks });
  hub.open();
}

addEventListener('connect', (event) => {
  const port = (event as MessageEvent).ports[0];
  if (!port) return;
  port.addEventListener('message', (message: MessageEvent<Command>) => command(port, message.data));
  port.start();
});
