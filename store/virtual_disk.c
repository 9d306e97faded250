#include "store/virtual_disk.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "gossip/gossip.h"
#include "store/file.h"
#include "store/sqlite.h"
#include "store/virtual_operations.h"

struct image_file {
    char name[VIRTUAL_NAME_SIZE];
    uint8_t *bytes;
    uint64_t size;
};

struct virtual_disk_image {
    struct image_file files[VIRTUAL_NAMES_MAX];
    size_t count;
};

struct virtual_disk *virtual_disk_create(uint64_t seed)
{
    struct virtual_disk *disk = calloc(1, sizeof(*disk));

    if (disk == NULL)
        return NULL;
    disk->lots.state = seed;
    disk->machine = seed;
    disk->room = UINT64_MAX;
    disk->vfs = virtual_vfs_create(disk);
    if (disk->vfs == NULL) {
        free(disk);
        return NULL;
    }
    disk->system = (struct file_system){&virtual_operations, virtual_vfs_name(disk->vfs)};
    return disk;
}

static void assert_closed(const struct virtual_disk *disk)
{
    for (size_t i = 0; i < VIRTUAL_LOCKS_MAX; i++)
        assert(disk->locks[i][0] == '\0');
    for (const struct virtual_file *file = disk->files.first; file != NULL; file = file->next)
        assert(file->opened == 0);
}

void virtual_disk_destroy(struct virtual_disk *disk)
{
    if (disk == NULL)
        return;
    assert_closed(disk);
    virtual_vfs_destroy(disk->vfs);
    virtual_files_clear(&disk->files);
    free(disk);
}

int virtual_disk_open_store(struct virtual_disk *disk, const char *name,
                            enum gossip_sqlite_mode mode, char *ret_explanation, size_t size,
                            struct gossip_store **ret_store)
{
    assert(strlen(name) <= VIRTUAL_STORE_NAME_MAX);
    return sqlite_store_open(&disk->system, name, mode, ret_explanation, size, ret_store);
}

int virtual_disk_open_file(struct virtual_disk *disk, const char *name, enum gossip_file_mode mode,
                           char *ret_explanation, size_t size, struct gossip_store **ret_store)
{
    assert(strlen(name) <= VIRTUAL_STORE_NAME_MAX);
    return file_store_open(&disk->system, name, mode, ret_explanation, size, ret_store);
}

int virtual_disk_remove_file(struct virtual_disk *disk, const char *name, char *ret_explanation,
                             size_t size)
{
    return file_store_remove(&disk->system, name, ret_explanation, size);
}

int virtual_disk_salvage(struct virtual_disk *disk, const char *name, gossip_record_visit *visit,
                         void *context, struct gossip_salvaged *ret_salvaged)
{
    return sqlite_store_salvage(&disk->system, name, visit, context, ret_salvaged);
}

/* ---- Faults. ---- */

void virtual_disk_crash(struct virtual_disk *disk)
{
    disk->crashed = true;
}

void virtual_disk_crash_at(struct virtual_disk *disk, uint64_t operation)
{
    disk->crash_at = operation == 0 ? 0 : disk->operations + operation;
}

bool virtual_disk_is_crashed(const struct virtual_disk *disk)
{
    return disk->crashed;
}

void virtual_disk_restart(struct virtual_disk *disk, enum virtual_damage damage)
{
    assert_closed(disk);
    virtual_files_restart(&disk->files, damage, &disk->lots, &disk->stats);
    disk->stats.crashes[damage]++;
    disk->crashed = false;
    disk->crash_at = 0;
}

void virtual_disk_fail(struct virtual_disk *disk, enum virtual_operation operation, uint64_t number,
                       uint64_t count)
{
    assert(number > 0 || count == 0);
    disk->failures[operation] = (struct virtual_failure){count == 0 ? 0 : number - 1, count};
}

void virtual_disk_set_room(struct virtual_disk *disk, uint64_t bytes)
{
    disk->room = bytes;
}

uint64_t virtual_disk_used(const struct virtual_disk *disk)
{
    return virtual_files_used(&disk->files);
}

void virtual_disk_set_delay(struct virtual_disk *disk, enum virtual_operation operation,
                            uint32_t ms)
{
    disk->delays[operation] = ms;
}

uint64_t virtual_disk_take_delay(struct virtual_disk *disk)
{
    uint64_t delay = disk->delay;

    disk->delay = 0;
    return delay;
}

bool virtual_disk_flip(struct virtual_disk *disk, const char *name, uint64_t offset, unsigned bit)
{
    struct virtual_file *file = virtual_files_find(&disk->files, name);

    assert(bit < 8);
    if (file == NULL || offset >= file->shown.size)
        return false;
    file->shown.bytes[offset] ^= (uint8_t)(1u << bit);
    if (offset < file->durable.size)
        file->durable.bytes[offset] ^= (uint8_t)(1u << bit);
    disk->stats.flipped++;
    return true;
}

/* ---- Images. ---- */

static bool add_to_image(struct virtual_disk_image *image, const char *name,
                         const struct virtual_content *content)
{
    struct image_file *file = &image->files[image->count++];

    memcpy(file->name, name, strlen(name) + 1);
    file->size = content->size;
    file->bytes = malloc(content->size + 1); /* One more, so that no size is of no memory. */
    if (file->bytes == NULL)
        return false;
    if (content->size > 0)
        memcpy(file->bytes, content->bytes, content->size);
    return true;
}

struct virtual_disk_image *virtual_disk_copy(const struct virtual_disk *disk, bool durable_only)
{
    const struct virtual_directory *directory =
        durable_only ? &disk->files.durable : &disk->files.shown;
    struct virtual_disk_image *image = calloc(1, sizeof(*image));

    for (size_t i = 0; i < directory->count && image != NULL; i++) {
        const struct virtual_name *name = &directory->names[i];

        if (!add_to_image(image, name->text,
                          durable_only ? &name->file->durable : &name->file->shown)) {
            virtual_disk_image_destroy(image);
            image = NULL;
        }
    }
    return image;
}

void virtual_disk_image_destroy(struct virtual_disk_image *image)
{
    if (image == NULL)
        return;
    for (size_t i = 0; i < image->count; i++)
        free(image->files[i].bytes);
    free(image);
}

/* kept: the file that stays as it is; NULL: none. */
static bool restore(struct virtual_disk *disk, const struct virtual_disk_image *image,
                    bool same_files, const char *kept)
{
    struct virtual_files files = {.inodes = disk->files.inodes};
    const struct virtual_file *left = kept == NULL ? NULL : virtual_files_find(&disk->files, kept);
    bool is_whole =
        left == NULL || virtual_files_put(&files, kept, left->shown.bytes, left->shown.size);

    assert_closed(disk);
    for (size_t i = 0; i < image->count && is_whole; i++) {
        const struct image_file *file = &image->files[i];
        const struct virtual_file *there = virtual_files_find(&disk->files, file->name);

        if (kept != NULL && strcmp(file->name, kept) == 0)
            continue;
        is_whole = virtual_files_put(&files, file->name, file->bytes, file->size);
        if (is_whole && same_files && there != NULL)
            virtual_files_find(&files, file->name)->inode = there->inode;
    }
    if (!is_whole) {
        virtual_files_clear(&files);
        return false;
    }
    virtual_files_clear(&disk->files);
    disk->files = files;
    return true;
}

bool virtual_disk_restore(struct virtual_disk *disk, const struct virtual_disk_image *image)
{
    return restore(disk, image, true, NULL);
}

bool virtual_disk_restore_but(struct virtual_disk *disk, const struct virtual_disk_image *image,
                              const char *kept)
{
    return restore(disk, image, true, kept);
}

bool virtual_disk_copy_back(struct virtual_disk *disk, const struct virtual_disk_image *image)
{
    return restore(disk, image, false, NULL);
}

bool virtual_disk_remove(struct virtual_disk *disk, const char *name)
{
    assert_closed(disk);
    if (virtual_files_find(&disk->files, name) == NULL ||
        virtual_files_delete(&disk->files, name) != 0)
        return false;
    virtual_files_sync(&disk->files, NULL);
    return true;
}

bool virtual_disk_cut(struct virtual_disk *disk, const char *name, uint64_t size)
{
    struct virtual_file *file = virtual_files_find(&disk->files, name);

    assert_closed(disk);
    if (file == NULL || file->shown.size <= size ||
        virtual_files_truncate(&disk->files, file, size) != 0)
        return false;
    virtual_files_sync(&disk->files, file);
    return true;
}

/* ---- What is to be seen. ---- */

bool virtual_disk_is_unsynced(const struct virtual_disk *disk, const char *name)
{
    return virtual_files_are_unsynced(&disk->files, name);
}

uint64_t virtual_disk_operations(const struct virtual_disk *disk)
{
    return disk->operations;
}

uint64_t virtual_disk_size(const struct virtual_disk *disk, const char *name)
{
    const struct virtual_file *file = virtual_files_find(&disk->files, name);

    return file == NULL ? 0 : file->shown.size;
}

uint64_t virtual_disk_hash(const struct virtual_disk *disk)
{
    return virtual_files_hash(&disk->files);
}

void virtual_disk_stats(const struct virtual_disk *disk, struct virtual_disk_stats *ret_stats)
{
    *ret_stats = disk->stats;
}
