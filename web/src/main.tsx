import { createRoot } from 'react-dom/client';
import './workers';
import './style.css';
import { App } from './app';
import { resumeSession, signInByAddress } from './session';

resumeSession();
await signInByAddress().catch(() => {}); // the dialog is there for whoever could not be signed in
window.addEventListener('hashchange', () => void signInByAddress().catch(() => {}));
createRoot(document.getElementById('root')!).render(<App />);
