/** The desk's own questions: typed by the schema, asked as the person who is signed in. */
import type { TypedDocumentString } from '../generated/graphql';
import { post } from '../http';
import { getToken, signOut } from '../session';

export async function ask<Result, Variables>(document: TypedDocumentString<Result, Variables>, variables: Variables): Promise<Result> {
  const token = getToken();
  const answer = await post({ query: document.toString(), variables }, token === null ? {} : { authorization: `Bearer ${token}` });
  const fault = answer.errors?.[0];
  if (fault) {
    if (fault.extensions?.code === 'UNAUTHENTICATED' && token === getToken()) signOut('Your session has ended.');
    throw new Error(fault.message);
  }
  return answer.data as Result;
}
