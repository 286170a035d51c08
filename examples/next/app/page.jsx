export default function Page() {
  return <p>The chat is at /api/chat.</p>;
}
