// A page that knows nothing of Footlight: a rich-text editor on the stock y-websocket client. Bundled by the
// test that uses it.
import Quill from 'quill';
import { QuillBinding } from 'y-quill';
import { WebsocketProvider } from 'y-websocket';
import * as Y from 'yjs';

const place = document.createElement('div');
document.body.append(place);

window.open_editor = ({ address, episode, board, token }) => {
  const doc = new Y.Doc();
  const provider = new WebsocketProvider(`${address}/v1/yjs/${episode}`, board, doc, {
    params: { token },
    disableBc: true,
  });
  const quill = new Quill(place, { modules: { toolbar: false } });
  new QuillBinding(doc.getText('script'), quill, provider.awareness);
  Object.assign(window, { quill, provider, doc });
};
