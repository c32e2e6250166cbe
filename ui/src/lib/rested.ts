/** A text once nobody types any more. */
import { useEffect, useState } from 'react';

/** Typing rests this long before something is asked about the text. */
const REST_MS = 400;

export function useRested(text: string): string {
  const [rested, setRested] = useState(text);
  useEffect(() => {
    const timer = setTimeout(() => setRested(text), REST_MS);
    return () => clearTimeout(timer);
  }, [text]);
  return rested;
}
