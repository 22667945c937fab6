// The frame inspector: one raw connection, every frame of it taken apart, and a form for each.

import '../shared/base.css';
import './console.css';
import { render } from 'preact';
import { Composer } from './composer.tsx';
import { Guide } from './guide.tsx';
import { Log } from './log.tsx';
import { SignIn } from './sign-in.tsx';

function Console() {
  return (
    <>
      <header class="bar">
        <img src="/icon.svg" alt="" width="28" height="28" />
        <h1>chasqui console</h1>
        <nav aria-label="Elsewhere">
          <a href="/docs/protocol.md">The protocol</a>
          <a href="/openapi.json">REST</a>
          <a href="/">Chat</a>
        </nav>
      </header>
      <main>
        <Guide />
        <div class="middle">
          <SignIn />
          <Log />
        </div>
        <Composer />
      </main>
    </>
  );
}

render(<Console />, document.body);
