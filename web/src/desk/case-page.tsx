/** One case as a page that people can read: what it is about, what was said and shown, what happened, what is due. */
import type { ReactNode } from 'react';
import { useNow } from './data';
import { about, type Case, type CaseEvent, clockName, dateTime, day, happened, kind, money, plain, timeLeft } from './words';

export function CasePage({ one }: { one: Case }) {
  return (
    <article className="desk-case" aria-label={one.number}>
      <Head one={one} />
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

function Head({ one }: { one: Case }) {
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
        <strong>{one.requester.name}</strong>
        {one.counterparty && (
          <>
            {' '}
            against <strong>{one.counterparty.name}</strong>
          </>
        )}
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
    [`${one.requester.name} has`, balances(one.requester)],
    ...(one.counterparty ? [[`${one.counterparty.name} has`, balances(one.counterparty)] as [string, ReactNode]] : []),
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
          <li key={item.id}>
            <small title={`SHA-256 ${item.sha256}`}>
              {item.addedBy.name}, {dateTime(item.addedAt)}
            </small>
            {item.__typename === 'StatementEvidence' && <p className="as-written">{item.text}</p>}
            {item.__typename === 'ConversationEvidence' && (
              <ol className="desk-chat frozen" aria-label="Frozen messages">
                {item.messages.map((message) => (
                  <Said key={message.id} who={message.authorName} at={message.sentAt} text={message.body} />
                ))}
              </ol>
            )}
            {item.__typename === 'FileEvidence' && (
              <a href={item.url} target="_blank" rel="noreferrer">
                {item.contentType.startsWith('image/') && <img src={item.url} alt="" loading="lazy" />}
                {item.fileName} <small>{Math.ceil(item.sizeBytes / 1024)} KB</small>
              </a>
            )}
          </li>
        ))}
      </ul>
    </Section>
  );
}

/** The chat as it is now; what was frozen as evidence is marked. */
function Chat({ one }: { one: Case }) {
  if (one.subject.__typename !== 'Lead') return null;
  const frozen = new Set(one.evidence.flatMap((item) => (item.__typename === 'ConversationEvidence' ? item.messages.map((message) => `${message.sentAt} ${message.body}`) : [])));
  const messages = one.subject.conversation.messages.edges.map(({ node }) => node);
  return (
    <Section title={`Chat with ${one.subject.customer.name}`} count={messages.length}>
      <ol className="desk-chat">
        {messages.map((message) => (
          <Said key={message.id} who={message.authorName} at={message.sentAt} text={message.body} mark={frozen.has(`${message.sentAt} ${message.body}`) ? 'in evidence' : undefined} />
        ))}
      </ol>
    </Section>
  );
}

const AUDIENCES: Record<string, string> = {
  EVERYONE: 'to everyone',
  REQUESTER_AND_SUPPORT: 'to the requester',
  COUNTERPARTY_AND_SUPPORT: 'to the other side',
  INTERNAL: 'staff only',
};

function Messages({ one }: { one: Case }) {
  const messages = one.messages.edges.map(({ node }) => node);
  if (messages.length === 0) return null;
  return (
    <Section title="Messages" count={messages.length}>
      <ol className="desk-chat">
        {messages.map((message) => (
          <Said key={message.id} who={message.author.name} at={message.sentAt} text={message.body} mark={AUDIENCES[message.audience]} internal={message.audience === 'INTERNAL'} />
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
