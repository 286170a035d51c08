//! LISTEN and NOTIFY as hints: on a connection of their own, outside of all writes, and proved to arrive now and then.
//!
//! A notification is sent through the pool and has to come out of this connection, so that a pooler which gives sessions
//! to whoever needs one, and a socket that only looks open, are found out. Then everything goes on by polling.

use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use futures_util::TryStreamExt;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{Instant, interval_at, sleep, timeout};
use tokio_postgres::types::Type;
use tokio_postgres::{AsyncMessage, Client};

use crate::id::RunId;
use crate::store::{Hint, NotificationHealth, NotificationState, Wakeups};

use super::presence::HOLD;
use super::session::Database;
use super::value::values;

const CHANNEL: &str = "turnkeep";
const SEND: &str = "SELECT pg_notify($1::text, $2::text)::text";
/// The time between two notifications where there is always something to say. Each takes a lock of the whole server's
/// when it is committed; with [`BURST`] there are twenty in any second at most, however many runs there are.
const SPACING: Duration = Duration::from_millis(60);
/// So many may follow each other at once after a silence, so that a stop does not wait.
const BURST: u32 = 3;
/// How many ids go together; a notification may have 8,000 bytes. More than these are told of as a whole.
const IDS: usize = 200;
/// Stands for all runs.
const ANYTHING: &str = "*";
/// How often it is proved that notifications arrive.
const PROBE_INTERVAL: Duration = Duration::from_secs(5);
/// How long a notification may be on its way.
const PROBE_PATIENCE: Duration = Duration::from_secs(2);
/// So many lost ones in a row mean that this connection will not do.
const LOST_PROBES: u32 = 3;
/// The wait before another connection is made.
const RECONNECT_WAIT: Duration = Duration::from_secs(1);
/// Hints that a slow listener may be behind; beyond that it is told that it has missed some.
const BACKLOG: usize = 1024;

/// See the module's documentation.
pub(super) struct Notifier {
    hints: broadcast::Sender<Hint>,
    /// What is to be said next; nothing for "of any run".
    pending: Mutex<Option<BTreeSet<RunId>>>,
    wake: Notify,
    live: AtomicBool,
    sent: AtomicU64,
    heard: AtomicU64,
    closed: watch::Sender<bool>,
    /// The owner whose lock the connection holds, so that others see that it lives.
    present: Option<String>,
}

impl Wakeups for Notifier {
    fn tell(&self, run_id: RunId) {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(ids) = pending.as_mut() {
            ids.insert(run_id);
            if ids.len() > IDS {
                *pending = None;
            }
        }
        drop(pending);
        self.wake.notify_one();
    }

    fn listen(&self) -> broadcast::Receiver<Hint> {
        self.hints.subscribe()
    }

    fn health(&self) -> NotificationHealth {
        let live = self.live.load(Ordering::Relaxed);
        NotificationHealth {
            state: if live { NotificationState::Live } else { NotificationState::Polling },
            sent: self.sent.load(Ordering::Relaxed),
            heard: self.heard.load(Ordering::Relaxed),
        }
    }
}

/// What comes out of a connection.
struct Arrived {
    sender: i32,
    payload: String,
}

impl Notifier {
    pub(super) fn start(database: &Arc<Database>, present: Option<String>) -> Arc<Self> {
        let notifier = Arc::new(Self {
            hints: broadcast::Sender::new(BACKLOG),
            pending: Mutex::new(Some(BTreeSet::new())),
            wake: Notify::new(),
            live: AtomicBool::new(false),
            sent: AtomicU64::new(0),
            heard: AtomicU64::new(0),
            closed: watch::Sender::new(false),
            present,
        });
        let mut closed = notifier.closed.subscribe();
        let (weak, database) = (Arc::downgrade(&notifier), Arc::clone(database));
        tokio::spawn(async move {
            tokio::select! {
                () = keep_connected(weak, database) => {}
                // The sender is gone with the notifier.
                _ = closed.wait_for(|closed| *closed) => {}
            }
        });
        notifier
    }

    /// Says what is still to be said, so that nobody waits for a poll to hear of the last run's end, and no more.
    pub(super) async fn close(&self, database: &Database) {
        self.live.store(false, Ordering::Relaxed);
        self.closed.send_replace(true);
        if let Some(payload) = self.take() {
            let _ = timeout(PROBE_PATIENCE, database.query(SEND, &values![CHANNEL, payload])).await;
        }
    }

    /// What is to be said, if there is anything.
    fn take(&self) -> Option<String> {
        let mut pending = self.pending.lock().unwrap_or_else(PoisonError::into_inner);
        match pending.replace(BTreeSet::new()) {
            None => Some(ANYTHING.to_owned()),
            Some(ids) if ids.is_empty() => None,
            Some(ids) => Some(ids.iter().map(RunId::to_string).collect::<Vec<_>>().join(" ")),
        }
    }

    fn hear(&self, payload: &str) {
        self.heard.fetch_add(1, Ordering::Relaxed);
        // Without listeners nobody is to be told.
        if payload == ANYTHING {
            let _ = self.hints.send(Hint::Anything);
            return;
        }
        for run_id in payload.split(' ').filter_map(|id| id.parse().ok()) {
            let _ = self.hints.send(Hint::Run(run_id));
        }
    }

    fn set_live(&self, live: bool) {
        if self.live.swap(live, Ordering::Relaxed) != live {
            if live {
                tracing::info!("notifications of other processes arrive");
            } else {
                tracing::warn!("notifications of other processes do not arrive; everything is found by polling");
            }
            // Whoever has been waiting for one looks for itself.
            let _ = self.hints.send(Hint::Anything);
        }
    }
}

/// Makes connection after connection, until the notifier is gone.
async fn keep_connected(notifier: Weak<Notifier>, database: Arc<Database>) {
    loop {
        // In a session that is shared a LISTEN would be heard by others, and stay when we are gone.
        let is_shared = database.connector().shared_sessions.load(Ordering::SeqCst);
        let present = notifier.upgrade().and_then(|notifier| notifier.present.clone());
        let connected = if is_shared { None } else { connect(&database, present.as_deref()).await };
        let Some(notifier) = notifier.upgrade() else { return };
        match connected {
            Some((client, own, arrived)) => tokio::select! {
                () = speak(&notifier, &database, Some(&client)) => {}
                () = hear(&notifier, &database, own, arrived) => {}
            },
            // Others may hear us all the same.
            None => {
                let _ = timeout(RECONNECT_WAIT, speak(&notifier, &database, None)).await;
            }
        }
        notifier.set_live(false);
        drop(notifier);
        if !is_shared {
            sleep(RECONNECT_WAIT).await;
        }
    }
}

/// A connection that listens, the server's number for it, and what comes out of it.
async fn connect(
    database: &Database,
    present: Option<&str>,
) -> Option<(Client, i32, mpsc::UnboundedReceiver<Arrived>)> {
    let (client, mut connection) = database.connector().raw().await.ok()?;
    let (sender, arrived) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Some(Ok(message)) = poll_fn(|context| connection.poll_message(context)).await {
            if let AsyncMessage::Notification(notification) = message {
                let payload = notification.payload().to_owned();
                if sender.send(Arrived { sender: notification.process_id(), payload }).is_err() {
                    return;
                }
            }
        }
    });
    let setup = async {
        client.batch_execute(&format!("LISTEN {CHANNEL}")).await.ok()?;
        if let Some(owner) = present {
            client.query_typed(HOLD, &[(&owner, Type::TEXT)]).await.ok()?;
        }
        let row = client.query_typed("SELECT pg_backend_pid()", &[]).await.ok()?;
        row.first()?.try_get::<_, i32>(0).ok()
    };
    let own = timeout(super::connect::CONNECT_TIMEOUT, setup).await.ok()??;
    Some((client, own, arrived))
}

/// Sends what there is to say; what comes faster than may be sent goes together. Ends when that fails.
async fn speak(notifier: &Notifier, database: &Database, client: Option<&Client>) {
    // When the next one would be due if all of them were evenly spaced.
    let mut due = Instant::now();
    loop {
        notifier.wake.notified().await;
        let now = Instant::now();
        if due > now + SPACING * (BURST - 1) {
            sleep(due - now - SPACING * (BURST - 1)).await;
        }
        due = due.max(Instant::now()) + SPACING;
        let Some(payload) = notifier.take() else { continue };
        let values = values![CHANNEL, payload];
        let sent = match client {
            Some(client) => {
                let typed = values.iter().map(|value| (value, Type::TEXT));
                let sent = async { client.query_typed_raw(SEND, typed).await?.try_collect::<Vec<_>>().await };
                timeout(PROBE_PATIENCE, sent).await.is_ok_and(|sent| sent.is_ok())
            }
            None => database.query(SEND, &values).await.is_ok(),
        };
        if sent {
            notifier.sent.fetch_add(1, Ordering::Relaxed);
        } else if client.is_some() {
            return;
        }
    }
}

/// Hears and probes until the connection is lost or found to be of no use.
async fn hear(notifier: &Notifier, database: &Arc<Database>, own: i32, mut arrived: mpsc::UnboundedReceiver<Arrived>) {
    let mut probes = interval_at(Instant::now(), PROBE_INTERVAL);
    let (mut token, mut probed_at, mut lost) = (String::new(), None::<Instant>, 0);
    loop {
        tokio::select! {
            message = arrived.recv() => match message {
                None => return,
                Some(Arrived { payload, .. }) if payload.starts_with("probe ") => {
                    if payload == token {
                        (probed_at, lost) = (None, 0);
                        notifier.set_live(true);
                    }
                }
                // What this process has sent it knows.
                Some(Arrived { sender, .. }) if sender == own => {}
                Some(Arrived { payload, .. }) => notifier.hear(&payload),
            },
            _ = probes.tick() => {
                token = format!("probe {}", uuid::Uuid::now_v7().simple());
                probed_at = Some(Instant::now());
                // Not through this connection, which would hear itself in any case. One that is not sent is lost, too.
                let (database, token) = (Arc::clone(database), token.clone());
                tokio::spawn(async move { database.query(SEND, &values![CHANNEL, &token]).await });
            }
            () = until_lost(probed_at) => {
                probed_at = None;
                lost += 1;
                notifier.set_live(false);
                if lost >= LOST_PROBES {
                    return;
                }
            }
        }
    }
}

async fn until_lost(probed_at: Option<Instant>) {
    match probed_at {
        Some(at) => tokio::time::sleep_until(at + PROBE_PATIENCE).await,
        None => std::future::pending().await,
    }
}
