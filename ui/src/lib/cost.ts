/** Small times for people. Pure. */
import { LOCALE } from '../strings';

const digits = new Intl.NumberFormat(LOCALE, { maximumSignificantDigits: 3 });

/** `38 ns`, `1.2 µs`: what a rule takes of an event. */
export const nanos = (ns: number) => (ns < 1000 ? `${digits.format(ns)} ns` : `${digits.format(ns / 1000)} µs`);
