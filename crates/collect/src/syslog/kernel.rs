//! How many datagrams the system dropped because its buffer for our socket was full.
//!
//! In: the socket, `/proc/net/udp`. Out: a count. Where the system does not tell, it is zero.

use std::fs;
use std::os::fd::AsRawFd;

use tokio::net::UdpSocket;

/// Counts one socket's drops.
#[derive(Debug)]
pub(super) struct Drops {
    /// The socket's number in the system's tables.
    inode: Option<String>,
    seen: u64,
}

impl Drops {
    pub(super) fn new(socket: &UdpSocket) -> Self {
        let link = fs::read_link(format!("/proc/self/fd/{}", socket.as_raw_fd())).ok();
        let inode = link.and_then(|link| {
            let link = link.to_str()?.strip_prefix("socket:[")?;
            link.strip_suffix(']').map(str::to_owned)
        });
        Self { inode, seen: 0 }
    }

    /// Drops since the last call.
    pub(super) fn take_new(&mut self) -> u64 {
        let Some(inode) = &self.inode else { return 0 };
        let tables = ["/proc/net/udp", "/proc/net/udp6"].map(fs::read_to_string);
        let drops = tables.iter().flatten().find_map(|table| drops_of(table, inode));
        let new = drops.unwrap_or(self.seen).saturating_sub(self.seen);
        self.seen += new;
        new
    }
}

/// The last column of the row whose tenth is `inode`.
fn drops_of(table: &str, inode: &str) -> Option<u64> {
    let row = table.lines().find(|row| row.split_whitespace().nth(9) == Some(inode))?;
    row.split_whitespace().nth(12)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_systems_table_is_read() {
        let table = "   sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode ref pointer drops\n  467: 0100007F:158A 00000000:0000 07 00000000:00000000 00:00000000 00000000     0        0 12345 2 0000000000000000 17\n";
        assert_eq!(drops_of(table, "12345"), Some(17));
        assert_eq!(drops_of(table, "1234"), None);
    }
}
