/** A button that has to be pressed twice. */
import { useState } from 'react';

export function Sure({ name, really, does }: { name: string; really: string; does: () => void }) {
  const [sure, setSure] = useState(false);
  return <button type="button" className="button" onBlur={() => setSure(false)} onClick={() => (sure ? does() : setSure(true))}>{sure ? really : name}</button>;
}
