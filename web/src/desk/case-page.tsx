/** One case as a page that people can read: what it is about, what was said and shown, what happened, what is due. */
import type { ReactNode } from 'react';
import { useNow } from './data';
import { about, AUDIENCES, type Case, type CaseEvent, clockName, dateTime, day, evidenceKind, happened, type Item, kind, money, plain, timeLeft } from './words';

export type Somebody = { id: string; name: string };
type Props = { one: Case; onPerson: (who: Somebody) => void };

export function CasePage({ one, onPerson }: Props) {
  return (
    <article className="desk-case" aria-label={one.number}>
      <Head one={one} onPerson={onPerson} />
      <Facts one={one} />
      <Clocks one={one} />
      <Evidence one={one} />
      <Chat one={one} />
      <Messages one={one} />
      <History events={one.events.edges.map(({ node }) => node)} />
    </article>
  );
}

function Section({ title, count, children }: { title: string; count?: number; children: ReactNode }) {
  return (
    <section aria-label={title}>
      <h3>
        {title}
        {count !== undefined && count > 1 && <small> {count}</small>}
      </h3>
      {children}
    </section>
  );
}

function Head({ one, onPerson }: Props) {
  const person = (who: Somebody) => (
    <button type="button" className="link" title={`All cases of ${who.name}`} onClick={() => onPerson(who)}>
      {who.name}
    </button>
  );
  return (
    <header>
      <h2>
        {one.number} <span className={`desk-state ${one.state.toLowerCase()}`}>{plain(one.state)}</span>
        {one.isFinal && <small>final</small>}
        {one.overdue && <small className="late">late</small>}
        {one.goodwill && <small>goodwill</small>}
      </h2>
      <p className="desk-about">
        {kind(one)}: {about(subjectWithNames(one))}
      </p>
      <p>
        {person(one.requester)}
        {one.counterparty && <> against {person(one.counterparty)}</>}
        {one.filedBy.id !== one.requester.id && <>, filed by {one.filedBy.name}</>}, {dateTime(one.openedAt)}.{' '}
        {one.assignee ? `Taken by ${one.assignee.name}.` : 'Nobody has taken it.'}
      </p>
      {one.continues && <p>Continues {one.continues.number}.</p>}
      {one.continuedBy && <p>Continued by {one.continuedBy.number}.</p>}
      {one.proposal && (
        <p className="desk-proposal">
          <strong>{one.proposal.proposedBy.name}</strong> proposes to {plain(one.proposal.decision)}
          {one.proposal.amount && ` ${money(one.proposal.amount)}`}, {dateTime(one.proposal.proposedAt)}. <span className="as-written">{one.proposal.message}</span>
        </p>
      )}
      {(one.reason || one.explanation) && (
        <blockquote>
          {one.reason && (
            <strong>
              {plain(one.reason)}
              {one.reasonDetail && `, ${plain(one.reasonDetail)}`}
              {one.explanation && ': '}
            </strong>
          )}
          <span className="as-written">{one.explanation}</span>
        </blockquote>
      )}
    </header>
  );
}

/** What the table calls `customerName` the page has with the customer's record. */
function subjectWithNames(one: Case): Parameters<typeof about>[0] {
  return one.subject.__typename === 'Lead' ? { ...one.subject, customerName: one.subject.customer.name } : one.subject;
}

function Facts({ one }: { one: Case }) {
  const facts: [string, ReactNode][] = [
    ['Asked for', money(one.requestedAmount)],
    ['Approved', one.approvedAmount && money(one.approvedAmount)],
    ['Expert consents to', one.consentedAmount && money(one.consentedAmount)],
    ['Credited', one.creditedAmount && money(one.creditedAmount)],
    ['Settlement', one.settlement.status === 'NOT_DUE' ? null : plain(one.settlement.status) + (one.settlement.shortfall ? `, ${money(one.settlement.shortfall)} short` : '')],
    ['Sent on', one.withdrawal && `${money(one.withdrawal.amount)}, ${plain(one.withdrawal.status)}, ${day(one.withdrawal.estimatedFrom)} – ${day(one.withdrawal.estimatedUntil)}`],
    ...subjectFacts(one.subject),
    ...[one.requester, one.counterparty].flatMap((who): [string, ReactNode][] =>
      who
        ? [
            [`${who.name} has`, balances(who)],
            [`${who.name} so far`, standing(who)],
          ]
        : [],
    ),
  ];
  return (
    <Section title="Money">
      <dl className="desk-facts">
        {facts
          .filter(([, value]) => value !== null && value !== undefined && value !== '')
          .map(([name, value]) => (
            <div key={name}>
              <dt>{name}</dt>
              <dd>{value}</dd>
            </div>
          ))}
      </dl>
    </Section>
  );
}

const balances = (who: Case['requester']): string => who.balances.map(({ purpose, available }) => `${money(available)} for ${plain(purpose)}`).join(', ') || 'nothing on the balance';

function standing({ summary }: Case['requester']): string | null {
  if (!summary) return null;
  const { openCases, requests90Days, approvedShare, waitingForFunds } = summary;
  return [
    `${openCases} open ${openCases === 1 ? 'case' : 'cases'}`,
    `${requests90Days} ${requests90Days === 1 ? 'request' : 'requests'} in 90 days`,
    approvedShare !== null && `${Math.round(approvedShare * 100)} % approved`,
    waitingForFunds && `waits for ${money(waitingForFunds)}`,
  ]
    .filter(Boolean)
    .join(', ');
}

function subjectFacts(subject: Case['subject']): [string, ReactNode][] {
  switch (subject.__typename) {
    case 'Lead': {
      const reports = subject.customer.termsReports ?? 0;
      return [
        ['Lead', `${subject.category}, ${subject.location} (${subject.externalRef})`],
        ['Charged', `${money(subject.price)}, ${day(subject.chargedAt)}`],
        ['Customer', `${subject.customer.name}, ${reports === 0 ? 'never reported' : `reported for ${reports} ${reports === 1 ? 'lead' : 'leads'}`}`],
      ];
    }
    case 'Invoice':
      return [
        ['Invoice', `${money(subject.amount)}${subject.paidAt ? `, paid ${day(subject.paidAt)}` : ', not paid'}`],
        ['Still refundable', money(subject.refundable)],
        ...contractFacts(subject.contract),
      ];
    case 'Milestone':
      return [['Milestone', `${money(subject.amount)}, ${plain(subject.status)}`], ['Held in escrow', money(subject.held)], ...contractFacts(subject.contract)];
    case 'BillingWeek':
      return [['Hours', `${subject.hours} h at ${money(subject.rate)} are ${money(subject.amount)}`], ...contractFacts(subject.contract)];
  }
}

type Contract = Extract<Case['subject'], { __typename: 'Invoice' }>['contract'];
const contractFacts = (contract: Contract): [string, ReactNode][] => [
  ['Contract', `${contract.title} (${contract.externalRef}): ${money(contract.paidTotal)} paid, ${money(contract.refundedTotal)} refunded`],
];

function Clocks({ one }: { one: Case }) {
  const now = useNow();
  if (one.clocks.length === 0) return null;
  return (
    <Section title="What is due">
      <ul className="desk-clocks">
        {one.clocks.map((clock) => (
          <li key={clock.name} className={Date.parse(clock.endsAt) < now ? 'late' : ''}>
            <strong>{timeLeft(clock.endsAt, now)}</strong> <span title={clock.rule}>{clockName(clock.name)}</span>, {plain(clock.whoseMove)}’s move, until{' '}
            {dateTime(clock.endsAt)}. {clock.whenItRunsOut}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Evidence({ one }: { one: Case }) {
  if (one.evidence.length === 0) return null;
  return (
    <Section title="Evidence" count={one.evidence.length}>
      <ul className="desk-evidence">
        {one.evidence.map((item) => (
          <li key={item.id} className={item.audience === 'INTERNAL' ? 'internal' : ''}>
            <small title={`SHA-256 ${item.sha256}`}>
              {evidenceKind(item)} of {item.addedBy.name}, {dateTime(item.addedAt)}
              <em>{AUDIENCES[item.audience].mark}</em>
            </small>
            {item.redactedAt ? (
              <Gone how="Redacted by an administrator" at={item.redactedAt} sha256={item.sha256} />
            ) : item.withdrawnAt ? (
              <Gone how={`Withdrawn by ${item.addedBy.name}`} at={item.withdrawnAt} sha256={item.sha256} />
            ) : (
              <Content item={item} />
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

function Gone({ how, at, sha256 }: { how: string; at: string; sha256: string }) {
  return (
    <p className="desk-gone">
      {how}, {dateTime(at)}. Its hash stays: <code>{sha256.slice(0, 12)}…</code>
    </p>
  );
}

function Content({ item }: { item: Item }) {
  switch (item.__typename) {
    case 'StatementEvidence':
      return <p className="as-written">{item.text}</p>;
    case 'ConversationEvidence':
      return (
        <>
          <ol className="desk-chat frozen" aria-label="Frozen messages">
            {item.messages.map((message) => (
              <Said key={message.id} who={message.authorName} at={message.sentAt} text={message.body} />
            ))}
          </ol>
          {item.messageCount > item.messages.length && (
            <small>The first {item.messages.length} of {item.messageCount} frozen messages: the rest is read with messages(after: …).</small>
          )}
        </>
      );
    case 'FileEvidence':
      return (
        <a href={item.url} target="_blank" rel="noreferrer">
          {isPicture(item) && <img src={item.url} alt="" loading="lazy" />}
          {item.fileName} <small>{Math.ceil(item.sizeBytes / 1024)} KB</small>
        </a>
      );
  }
}

/** The page's policy shows pictures of its own origin; any other file is fetched by its link. */
const isPicture = (file: Extract<Item, { __typename: 'FileEvidence' }>): boolean =>
  file.contentType.startsWith('image/') && new URL(file.url, document.baseURI).origin === window.location.origin;

/** The chat as it is now; what was frozen as evidence is marked. */
function Chat({ one }: { one: Case }) {
  if (one.subject.__typename !== 'Lead') return null;
  const frozen = new Set(one.evidence.flatMap((item) => (item.__typename === 'ConversationEvidence' ? item.messages.map((message) => `${message.sentAt} ${message.body}`) : [])));
  const messages = one.subject.conversation.messages.edges.map(({ node }) => node);
  return (
    <Section title={`Chat with ${one.subject.customer.name}`} count={messages.length}>
      {messages.length === 0 && <p>Nobody has written.</p>}
      <ol className="desk-chat">
        {messages.map((message) => (
          <Said key={message.id} who={message.authorName} at={message.sentAt} text={message.body} mark={frozen.has(`${message.sentAt} ${message.body}`) ? 'in evidence' : undefined} />
        ))}
      </ol>
    </Section>
  );
}

function Messages({ one }: { one: Case }) {
  const messages = one.messages.edges.map(({ node }) => node);
  if (messages.length === 0) return null;
  return (
    <Section title="Messages" count={messages.length}>
      <ol className="desk-chat">
        {messages.map((message) => (
          <Said key={message.id} who={message.author.name} at={message.sentAt} text={message.body} mark={AUDIENCES[message.audience].mark} internal={message.audience === 'INTERNAL'} />
        ))}
      </ol>
    </Section>
  );
}

function Said({ who, at, text, mark, internal }: { who: string; at: string; text: string; mark?: string; internal?: boolean }) {
  return (
    <li className={internal ? 'internal' : ''}>
      <small>
        <strong>{who}</strong>, {dateTime(at)}
        {mark && <em>{mark}</em>}
      </small>
      <p className="as-written">{text}</p>
    </li>
  );
}

function History({ events }: { events: CaseEvent[] }) {
  return (
    <Section title="What happened" count={events.length}>
      <ol className="desk-history">
        {events.map((event) => (
          <li key={event.sequence}>
            <small>{dateTime(event.at)}</small> {happened(event)}
            {event.rule && <em title="The rule">{event.rule}</em>}
            {event.note && <p className="as-written">{event.note}</p>}
            {event.internalNote && <p className="as-written internal">{event.internalNote}</p>}
          </li>
        ))}
      </ol>
    </Section>
  );
}
