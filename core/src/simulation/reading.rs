//! Clients read.

use crate::engine::TailFrom;
use crate::id::RunId;
use crate::store::LogStore;

use super::ledger::{tells_the_steps, whole_log};
use super::readers::Client;
use super::world::World;
use super::{Broken, ready};

impl World<'_> {
    pub(super) fn read_event(&mut self) -> Result<(), Broken> {
        if self.clients.len() < self.plan.readers && (self.clients.is_empty() || self.random.chance(100)) {
            let runs: Vec<RunId> = self.ledger.runs.keys().copied().collect();
            let run_id = self.random.pick(&runs);
            let from = if self.random.chance(650) { TailFrom::Start } else { TailFrom::Snapshot };
            self.clients.push(Client::new(run_id, from));
            return Ok(());
        }
        let place = self.random.below(self.clients.len());
        match self.random.below(10) {
            0 => {
                self.coverage.reconnects += u64::from(self.clients[place].is_connected());
                self.clients[place].disconnect();
            }
            1..=5 => {
                self.read_page(place);
            }
            _ => {
                let count = 1 + self.random.below(6);
                self.clients[place].receive(count);
            }
        }
        self.check_client(place)
    }

    pub(super) fn read_page(&mut self, place: usize) -> bool {
        let limit = self.random.pick(&[1, 60, 200, 1000, 1 << 20]);
        let client = &mut self.clients[place];
        let (run_id, range) = (client.run, client.wants(limit));
        let page = ready(self.store.read_log(run_id, range)).ok().flatten();
        page.is_some_and(|page| self.clients[place].feed(page))
    }

    /// A client that was told of the end compares; it may come back later to be told of it again.
    pub(super) fn check_client(&mut self, place: usize) -> Result<(), Broken> {
        if self.clients[place].end.is_none() {
            return Ok(());
        }
        let mut client = self.clients.swap_remove(place);
        self.coverage.clients += 1;
        let run_id = client.run;
        let Some(facts) = self.ledger.runs.get(&run_id) else { return Ok(()) };
        let (settled, cut_short) = (facts.settled.is_some(), facts.cut_short);
        let exact = !facts.trimmed && !facts.renumbered;
        self.say(|| format!("a client has read {run_id} {:?}: {:#?}", client.from, client.received));
        if !settled {
            return Err(Broken::new("nobody is told of an end that is not on disk", run_id.to_string()));
        }
        if !cut_short {
            tells_the_steps(&self.store, run_id, 0, client.received.iter())?;
        }
        if exact {
            if client.resyncs > 0 {
                let detail = format!("{run_id}: told to begin anew {} times", client.resyncs);
                return Err(Broken::new("nobody begins anew while the packs are there", detail));
            }
            if client.from == TailFrom::Start {
                let (whole, _) = whole_log(&self.store, run_id, TailFrom::Start)?;
                if !client.gapless || whole != client.received {
                    let detail = format!("{run_id}: without gaps: {}; in one go: {whole:#?}", client.gapless);
                    return Err(Broken::new("pieces of a log are the log", detail));
                }
            }
        }
        self.coverage.resyncs += u64::from(client.resyncs);
        if self.random.chance(200) {
            client.disconnect();
            client.end = None;
            self.clients.push(client);
        }
        Ok(())
    }
}
