//! What happens on links, and what follows from it.

use crate::base::time::Now;
use crate::client::Client;
use crate::client::effect::{Effect, Event};
use crate::client::on_timer::Timer;
use crate::client::servers::{Engine, NtfAnswer, NtfTag, ServerIndex, SmpAnswer, SmpTag};
use crate::link::dialect::{Ntf, Smp};
use crate::link::engine::{ClientEvent, Inbox, Loss};
use crate::link::event::LinkEvent;
use crate::link::requester::{ReplyFault, Timeliness};
use crate::model::server::Protocol;
use crate::wire::ntf::response::Response;
use crate::wire::smp::response::Message;
use crate::wire::text::address;

impl Client {
    pub(super) fn on_link(&mut self, now: Now, event: LinkEvent<'_>) {
        let link = event.link();
        let Some(index) = self.servers.of_link(link) else { return };
        if matches!(event, LinkEvent::Down { .. }) {
            self.servers.forget_link(link);
        }
        self.servers.touch(index);
        let inbox = match self.servers.get(index).map(|server| &mut server.engine) {
            Some(Engine::Smp(engine)) => engine.on_link(now, event),
            Some(Engine::Ntf(engine)) => engine.on_link(now, event),
            None => return,
        };
        self.read(now, index, inbox);
        self.note_heard(now, index);
    }

    /// Does everything that a server's engine has to tell.
    pub(super) fn read(&mut self, now: Now, index: ServerIndex, mut inbox: Inbox<'_>) {
        loop {
            match self.servers.get(index).map(|server| &mut server.engine) {
                Some(Engine::Smp(engine)) => match engine.next(&mut inbox) {
                    Some(event) => self.on_smp_event(now, index, event),
                    None => return,
                },
                Some(Engine::Ntf(engine)) => match engine.next(&mut inbox) {
                    Some(event) => self.on_ntf_event(now, index, event),
                    None => return,
                },
                None => return,
            }
        }
    }

    fn on_smp_event(&mut self, now: Now, index: ServerIndex, event: ClientEvent<'_, Smp, SmpTag>) {
        match event {
            ClientEvent::Ready { .. } => self.on_smp_ready(now, index),
            ClientEvent::Reply { tag, timeliness: Timeliness::InTime, result } => {
                self.on_smp_answer(now, tag, smp_answer(result));
            }
            ClientEvent::TimedOut { tag } | ClientEvent::Lost { tag } => {
                self.on_smp_answer(now, tag, SmpAnswer::Lost);
            }
            ClientEvent::Unreachable { why, .. } => self.on_unreachable(index, Protocol::Smp, why),
            ClientEvent::Unasked { entity, message } => self.on_smp_unasked(now, index, entity, message),
            // Late: the command was repeated when its time was over, and the repetition has its own answer.
            ClientEvent::Reply { timeliness: Timeliness::Late, .. } | ClientEvent::Stray(_) => {
                self.counters.answers_unfit.count();
            }
            // What was lost with the link follows, tag by tag.
            ClientEvent::Down { why, .. } => self.on_smp_down(now, index, why),
        }
    }

    fn on_ntf_event(&mut self, now: Now, index: ServerIndex, event: ClientEvent<'_, Ntf, NtfTag>) {
        match event {
            ClientEvent::Ready { .. } => self.resume(now, index),
            ClientEvent::Reply { tag, timeliness: Timeliness::InTime, result } => {
                self.on_ntf_answer(now, tag, ntf_answer(result));
            }
            ClientEvent::TimedOut { tag } | ClientEvent::Lost { tag } => {
                self.on_ntf_answer(now, tag, NtfAnswer::Lost);
            }
            ClientEvent::Unreachable { why, .. } => self.on_unreachable(index, Protocol::Ntf, why),
            ClientEvent::Reply { timeliness: Timeliness::Late, .. }
            | ClientEvent::Unasked { .. }
            | ClientEvent::Stray(_) => self.counters.answers_unfit.count(),
            ClientEvent::Down { .. } => {}
        }
    }

    fn on_smp_answer(&mut self, now: Now, tag: SmpTag, answer: SmpAnswer<'_>) {
        match tag {
            SmpTag::New(id) => self.on_new_answer(now, id, answer),
            SmpTag::Nkey(id) => self.on_nkey_answer(now, id, answer),
            SmpTag::Ndel(id) => self.on_ndel_answer(now, id, answer),
            SmpTag::Del(id) => self.on_del_answer(now, id, answer),
            SmpTag::Get(id) => self.on_get_answer(now, id, answer),
            SmpTag::Ack(id) => self.on_ack_answer(now, id, answer),
            SmpTag::Sub(id) => self.on_sub_answer(now, id, answer),
            SmpTag::Skey(id) => self.on_skey_answer(now, id, answer),
            SmpTag::Send(id) => self.on_send_answer(now, id, answer),
        }
    }

    fn on_ntf_answer(&mut self, now: Now, tag: NtfTag, answer: NtfAnswer<'_>) {
        match tag {
            NtfTag::Tnew(generation) => self.on_tnew_answer(now, generation, answer),
            NtfTag::Tvfy(generation) => self.on_tvfy_answer(now, generation, answer),
            NtfTag::Tchk(generation) => self.on_tchk_answer(now, generation, answer),
            NtfTag::Trpl(generation) => self.on_trpl_answer(now, generation, answer),
            NtfTag::Tcrn(generation, cron) => self.on_tcrn_answer(now, generation, cron, answer),
            NtfTag::Tdel(id) => self.on_leaving_answer(now, id, "TDEL", answer),
            NtfTag::Sdel(id) => self.on_leaving_answer(now, id, "SDEL", answer),
            NtfTag::Snew(id, attempt) => self.on_snew_answer(now, id, attempt, answer),
            NtfTag::Schk(id, attempt) => self.on_schk_answer(now, id, attempt, answer),
        }
    }

    fn on_unreachable(&mut self, index: ServerIndex, protocol: Protocol, why: Loss) {
        if why == Loss::Asked {
            return;
        }
        if self.servers.is_apart(index) {
            return self.drop_scout();
        }
        let reason = why.down_reason();
        let Some(server) = self.servers.get(index) else { return };
        let server = address::server(server.engine.server(), protocol);
        self.tell(Event::Unreachable { server, reason });
    }

    /// Goes on with everything that waits for a server which has come up, or has room again.
    pub(super) fn resume(&mut self, now: Now, index: ServerIndex) {
        let Some(server) = self.servers.get(index) else { return };
        server.awaited = false;
        let address = server.engine.server().clone();
        match &server.engine {
            Engine::Smp(_) => {
                self.resume_queues(now, &address);
                self.resume_senders(now, &address);
            }
            Engine::Ntf(_) => self.resume_token(now, &address),
        }
    }

    /// Performs what the engines ask for, and notes when they want to be woken.
    pub(super) fn settle(&mut self, now: Now) {
        self.plan_probes();
        let mut is_held = false;
        while let Some(index) = self.servers.take_touched() {
            let Some(server) = self.servers.get(index) else { continue };
            if server.awaited && server.engine.is_ready() && server.engine.room() > 0 {
                // Touches the server again if anything goes out.
                self.resume(now, index);
            }
            let Some(server) = self.servers.get(index) else { continue };
            is_held |= server.held;
            let is_idle = !server.awaited && !server.held && server.engine.in_flight() == 0;
            if is_idle && server.engine.is_wanted() && !server.engine.is_ready() {
                // Nothing is lost but the wish to connect, which nobody has any more.
                server.engine.disconnect();
                self.read(now, index, Inbox::default());
            }
            let Some(server) = self.servers.get(index) else { continue };
            let is_open = server.engine.is_ready();
            let deadline = server.engine.deadline().map(|deadline| deadline.at);
            let may_share = server.held && !is_open;
            let deadline = deadline.map(|at| if may_share { self.shared(now, at) } else { at });
            while let Some(action) = self.servers.poll(index) {
                self.outbox.push(Effect::Link(action));
            }
            if let Some(probe) = self.servers.take_probe(now.mono, index) {
                self.outbox.push(Effect::Probe(probe));
            }
            if self.servers.get(index).is_some_and(|server| server.is_unused()) {
                self.servers.forget(index);
                self.timers.cancel(&Timer::Server(index));
                self.timers.cancel(&Timer::Idle(index));
                continue;
            }
            match deadline {
                Some(at) => self.timers.set(Timer::Server(index), at),
                None => self.timers.cancel(&Timer::Server(index)),
            }
            match is_idle && is_open {
                true if self.timers.deadline(&Timer::Idle(index)).is_none() => {
                    self.timers.set(Timer::Idle(index), now.mono + self.config.idle_close);
                }
                true => {}
                false => self.timers.cancel(&Timer::Idle(index)),
            }
        }
        if is_held {
            self.plan_round(now);
        }
    }
}

fn smp_answer(result: Result<Message<'_>, ReplyFault>) -> SmpAnswer<'_> {
    match result {
        Ok(Message::Err(code)) => SmpAnswer::Error(code),
        Ok(message) => SmpAnswer::Message(message),
        Err(_) => SmpAnswer::Unfit,
    }
}

fn ntf_answer(result: Result<Response<'_>, ReplyFault>) -> NtfAnswer<'_> {
    match result {
        Ok(Response::Err(code)) => NtfAnswer::Error(code),
        Ok(response) => NtfAnswer::Response(response),
        Err(_) => NtfAnswer::Unfit,
    }
}
