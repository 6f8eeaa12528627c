/**
 * Stands in for the part of framer-motion that GraphiQL takes for its tabs: a tenth of a megabyte, for dragging them.
 *
 * GraphiQL calls each entry a tab and puts two buttons into it, which no screen reader can tell apart. Here it is what
 * it looks like: a list of buttons, of which one is the current one.
 */
import { Children, cloneElement, type ComponentProps, isValidElement, type ReactElement } from 'react';

type Dragged = { values?: unknown; value?: unknown; onReorder?: unknown; axis?: unknown; dragElastic?: unknown; dragConstraints?: unknown };

function Group({ values: _values, onReorder: _onReorder, axis: _axis, role: _role, ...props }: ComponentProps<'ul'> & Dragged) {
  return <ul {...props} />;
}

function Item({ value: _value, dragElastic: _elastic, dragConstraints: _constraints, role: _role, children, 'aria-selected': current, ...props }: ComponentProps<'li'> & Dragged) {
  const [opens, closes] = Children.toArray(children).filter(isValidElement) as ReactElement<ComponentProps<'button'>>[];
  return (
    <li {...props}>
      {opens && cloneElement(opens, { 'aria-current': current === true ? 'true' : undefined })}
      {closes && cloneElement(closes, { 'aria-label': `Close ${opens?.props.title ?? 'tab'}` })}
    </li>
  );
}

export const Reorder = { Group, Item };
