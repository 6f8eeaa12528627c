import { createRoot } from 'react-dom/client';
import './workers';
import './style.css';
import { App } from './app';
import { resumeSession } from './session';

resumeSession();
createRoot(document.getElementById('root')!).render(<App />);
