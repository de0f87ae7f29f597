import './style.css';
import { render } from 'preact';
render(<p>skep</p>, document.getElementById('app')!);
