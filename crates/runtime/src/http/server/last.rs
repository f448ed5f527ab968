//! The last connections of a listener: whoever was let in is served, not reset.
//!
//! A connection is made by the system before anybody accepts it, so that one which comes between
//! the last accept and the end of the listener would be reset although its client saw it open. So
//! the listener first turns deaf to new ones, which find nobody when they try again.

use std::io;
use std::net::SocketAddr;
use tokio::net::{TcpListener, TcpStream};

/// No connection begins from now on; true where the system can do that. Those that have begun are
/// made and can be accepted.
#[cfg(target_os = "linux")]
pub(super) fn deafen(listener: &TcpListener) -> bool {
    use socket2::{SockFilter, SockRef};
    /// Where the flags are in the header of TCP, of which SYN alone begins a connection.
    const FLAGS_AT: u32 = 13;
    const SYN: u32 = 0x02;
    const SYN_OR_ACK: u32 = 0x12;
    // In the instructions of classic BPF: A = flags; A &= SYN | ACK; A == SYN ? drop : take.
    let filter = [
        SockFilter::new(0x30, 0, 0, FLAGS_AT),
        SockFilter::new(0x54, 0, 0, SYN_OR_ACK),
        SockFilter::new(0x15, 0, 1, SYN),
        SockFilter::new(0x06, 0, 0, 0),
        SockFilter::new(0x06, 0, 0, u32::MAX),
    ];
    SockRef::from(listener).attach_filter(&filter).is_ok()
}

/// As on Linux, had this system the means.
#[cfg(not(target_os = "linux"))]
pub(super) fn deafen(_: &TcpListener) -> bool {
    false
}

/// The connections that wait to be accepted. The system is asked itself, for the runtime knows
/// only of those that it was told of by its last look. With the listener they would be gone.
pub(super) fn waiting(listener: TcpListener) -> io::Result<Vec<(TcpStream, SocketAddr)>> {
    let listener = listener.into_std()?;
    let mut all = Vec::new();
    loop {
        match listener.accept() {
            Ok((socket, peer)) => {
                socket.set_nonblocking(true)?;
                all.push((TcpStream::from_std(socket)?, peer));
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            // Nobody waits, or nobody can be let in.
            Err(_) => return Ok(all),
        }
    }
}
