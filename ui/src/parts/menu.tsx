/** A button that opens a menu of things to do. Arrow keys move, Escape goes back. */
import { useEffect, useRef, useState, type KeyboardEvent, type ReactNode } from 'react';

export interface MenuItem {
  name: string;
  does: () => void;
}

interface MenuProps {
  label: string;
  className: string;
  items: readonly MenuItem[];
  children: ReactNode;
}

export function Menu({ label, className, items, children }: MenuProps) {
  const [open, setOpen] = useState(false);
  const button = useRef<HTMLButtonElement>(null);
  const leave = () => {
    setOpen(false);
    button.current?.focus();
  };
  return (
    <div className="menu-box" onBlur={(event) => !event.currentTarget.contains(event.relatedTarget) && setOpen(false)}>
      <button ref={button} type="button" className={className} aria-haspopup="menu" aria-expanded={open} aria-label={label} title={label} onClick={() => setOpen(!open)}>
        {children}
      </button>
      {open && <Items label={label} items={items} leave={leave} />}
    </div>
  );
}

function Items({ label, items, leave }: { label: string; items: readonly MenuItem[]; leave: () => void }) {
  const menu = useRef<HTMLDivElement>(null);
  useEffect(() => menu.current?.querySelector('button')?.focus(), []);
  const onKeyDown = (event: KeyboardEvent) => {
    const buttons = [...(menu.current?.querySelectorAll('button') ?? [])];
    const at = buttons.findIndex((each) => each === document.activeElement);
    const by = event.key === 'ArrowDown' || event.key === 'j' ? 1 : event.key === 'ArrowUp' || event.key === 'k' ? -1 : 0;
    if (event.key === 'Escape') leave();
    else if (by !== 0) buttons[(at + by + buttons.length) % buttons.length]?.focus();
    else return;
    event.preventDefault();
    event.stopPropagation();
  };
  return (
    <div ref={menu} role="menu" tabIndex={-1} className="menu end" aria-label={label} onKeyDown={onKeyDown}>
      {items.map(({ name, does }) => (
        <button
          key={name}
          type="button"
          role="menuitem"
          tabIndex={-1}
          onClick={() => {
            leave();
            does();
          }}
        >
          {name}
        </button>
      ))}
    </div>
  );
}
