/** Numbers in sentences. */
import { LOCALE } from '../strings';

const digits = new Intl.NumberFormat(LOCALE);

/** `1,042`. */
export const n = (value: number) => digits.format(value);

/** `1 alert`, `1,042 alerts`. */
export const many = (value: number, one: string, more: string) => `${n(value)} ${value === 1 ? one : more}`;
