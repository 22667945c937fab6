// Where one is in a long log: the part of it that is drawn, grown and cut at either end as one scrolls, and
// kept under the reader's eyes while that happens. Knows rows by their place alone, not what is in them.

import { useEffect, useLayoutEffect, useRef, useState } from 'preact/hooks';
import type { Timeline, TimelineItem } from '@chasqui/client/index';

/** How much is loaded, and drawn in addition, at a time. */
const PAGE = 100;
/** The most that is drawn. */
const ROWS_MAX = 600;
/** More is drawn while less than so many screens are left. */
const AHEAD_SCREENS = 2;
/** Nearer than that to the end counts as being there. */
const END_PX = 40;

/** What one sees before something changes. */
interface Sight {
  readonly atEnd: boolean;
  /** The first row in sight, and where it is. */
  readonly row: Element | undefined;
  readonly top: number;
}

function look(box: HTMLElement, below: number): Sight {
  const { scrollTop, scrollHeight, clientHeight } = box;
  const edge = box.getBoundingClientRect().top;
  const row = [...box.querySelectorAll('[data-row]')].find((candidate) => candidate.getBoundingClientRect().bottom > edge);
  const atEnd = below === 0 && scrollHeight - scrollTop - clientHeight < END_PX;
  return { atEnd, row, top: row?.getBoundingClientRect().top ?? 0 };
}

export interface Reading {
  /** Goes to the element that scrolls. */
  readonly box: preact.RefObject<HTMLDivElement | null>;
  readonly onScroll: () => void;
  /** All there is in memory, and which of it is to be drawn. */
  readonly items: readonly TimelineItem[];
  readonly start: number;
  readonly end: number;
  /** Whether the end is in sight. */
  readonly isAtEnd: boolean;
  toEnd(): void;
}

export function useReading(timeline: Timeline): Reading {
  const box = useRef<HTMLDivElement>(null);
  const [items, setItems] = useState(timeline.items);
  /** How many rows are drawn, and how many lie below them. */
  const [drawn, setDrawn] = useState({ size: PAGE, below: 0 });
  const [isAtEnd, setAtEnd] = useState(true);
  const lastKey = useRef(items.at(-1)?.key);
  /** How many lie below what one sees, which may have yet to become what is drawn. */
  const belowSight = useRef(0);
  const goesToEnd = useRef(true);
  const end = Math.max(0, items.length - drawn.below);
  const start = Math.max(0, end - drawn.size);
  // Before what is drawn here replaces what one sees.
  const before = box.current ? look(box.current, belowSight.current) : undefined;

  useEffect(() => {
    const take = (): void => {
      const { items: taken } = timeline;
      const known = taken.findLastIndex(({ key }) => key === lastKey.current);
      const added = known < 0 ? 0 : taken.length - 1 - known;
      lastKey.current = taken.at(-1)?.key;
      // Whoever says something wants to see it.
      goesToEnd.current ||= added > 0 && taken.at(-1)?.status === 'queued';
      const follows = goesToEnd.current || !box.current || look(box.current, belowSight.current).atEnd;
      if (added > 0) setDrawn(({ size, below }) => ({ size, below: follows ? 0 : below + added }));
      setItems(taken);
    };
    take();
    const stop = timeline.subscribe(take);
    return () => {
      stop();
      timeline.release();
    };
  }, [timeline]);

  /** Draws more where little is left, and has it loaded where nothing is. */
  const fill = (): void => {
    const { current } = box;
    if (!current) return;
    const { scrollTop, scrollHeight, clientHeight } = current;
    const ahead = AHEAD_SCREENS * clientHeight;
    if (scrollTop < ahead && start > 0) {
      setDrawn(({ size, below }) => (size < ROWS_MAX ? { size: size + PAGE, below } : { size, below: below + PAGE }));
    } else if (scrollTop < ahead && timeline.hasOlder) {
      void timeline.loadOlder(PAGE);
    } else if (scrollHeight - scrollTop - clientHeight < ahead && drawn.below > 0) {
      setDrawn(({ size, below }) => ({ size, below: Math.max(0, below - PAGE) }));
    }
  };

  useLayoutEffect(() => {
    const { current } = box;
    if (!current) return;
    if (before?.atEnd || goesToEnd.current) current.scrollTop = current.scrollHeight;
    else if (before?.row?.isConnected) current.scrollTop += before.row.getBoundingClientRect().top - before.top;
    goesToEnd.current = false;
    belowSight.current = drawn.below;
    setAtEnd(look(current, drawn.below).atEnd);
    fill();
  }, [items, drawn]);

  const scrolled = (): void => {
    if (box.current) setAtEnd(look(box.current, drawn.below).atEnd);
    fill();
  };

  // The room shrinks under a keyboard or a growing message: the end stays in sight.
  useEffect(() => {
    const { current } = box;
    if (!current || !isAtEnd) return undefined;
    const observer = new ResizeObserver(() => (current.scrollTop = current.scrollHeight));
    observer.observe(current);
    return () => observer.disconnect();
  }, [isAtEnd]);

  const toEnd = (): void => {
    goesToEnd.current = true;
    setDrawn({ size: PAGE, below: 0 });
  };
  return { box, onScroll: scrolled, items, start, end, isAtEnd, toEnd };
}
