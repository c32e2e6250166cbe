/** A value that changes often, taken over at most once in a while; the last one always. */
import { useEffect, useRef, useState } from 'react';

export function usePaced<T>(value: T, everyMs: number): T {
  const [taken, setTaken] = useState(value);
  const at = useRef(0);
  useEffect(() => {
    const wait = Math.max(0, at.current + everyMs - performance.now());
    const timer = setTimeout(() => {
      at.current = performance.now();
      setTaken(value);
    }, wait);
    return () => clearTimeout(timer);
  }, [value, everyMs]);
  return taken;
}
